"""Who answers at a port, over TCP or UDP: a server inside a guest, and somebody who asks.

In Perl's core, which every Debian has in /usr, as light guests do.
"""

from __future__ import annotations

from cloud import Guest
from labs import TestLab

_SERVE = """
use IO::Socket::INET;
for (@ARGV) {
    my ($proto, $port) = split /:/;
    next if fork;
    my @listen = $proto eq 'tcp' ? (Listen => 5, ReuseAddr => 1) : ();
    my $server = IO::Socket::INET->new(Proto => $proto, LocalPort => $port, @listen) or die "$proto $port: $!";
    if ($proto eq 'tcp') {
        while (my $peer = $server->accept) {
            print $peer "$proto $port asked by " . $peer->peerhost . "\\n";
            close $peer;
        }
    }
    while (1) {
        my $from = $server->recv(my $said, 100) or next;
        my (undef, $host) = sockaddr_in($from);
        $server->send("$proto $port asked by " . inet_ntoa($host) . "\\n", 0, $from);
    }
}
"""

_ASK = """
use IO::Socket::INET;
my ($proto, $host, $port) = @ARGV;
$SIG{ALRM} = sub { exit };
alarm 1;
my $server = IO::Socket::INET->new(Proto => $proto, PeerAddr => $host, PeerPort => $port, Timeout => 1) or exit;
$server->send('?') if $proto eq 'udp';
$server->recv(my $said, 100);
print $said;
"""


def serve(lab: TestLab, guest: Guest, *ports: str) -> None:
    """Has a guest answer at ports, each ``tcp:80`` or the like, until it ends."""
    words = ("sh", "-c", 'exec perl -e "$0" "$@" >/tmp/served 2>&1 </dev/null', _SERVE, *ports)
    lab.inside(guest.id, *words)
    said = lab.inside(guest.id, "cat", "/tmp/served")
    assert not said, said


def answer(lab: TestLab, address: str, port: str, of: Guest | None = None) -> str:
    """Asks at a port, from the client outside or from a guest; gives what was answered, empty when nobody did."""
    proto, _, number = port.partition(":")
    words = ("perl", "-e", _ASK, proto, address, number)
    return (lab.inside(of.id, *words) if of is not None else lab.on("client", *words)).strip()
