"""What a light guest runs: scripts for busybox, copied into the guest's own root."""
