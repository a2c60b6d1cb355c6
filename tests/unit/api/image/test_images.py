from __future__ import annotations

from typing import Any

import pytest

from netglass.model.resources import Image, Project
from support.clients import Client

V2 = "/image/v2"


@pytest.fixture
def light(served: Any) -> str:
    return str(next(served.store.snapshot.all(Image)).id)


def found(client: Client, query: str = "") -> list[str]:
    response = client.get(f"{V2}/images{query}")
    assert response.status_code == 200, response.text
    return [image["name"] for image in response.json()["images"]]


def put(served: Any, *images: Image) -> None:
    served.decide(lambda d: [d.draft.put(image) for image in images])


def test_versions_need_no_token(served: Any) -> None:
    for path in ("/image", "/image/"):
        response = served.http.get(path)
        assert response.status_code == 300
        (version,) = response.json()["versions"]
        assert (version["status"], version["links"][0]["href"]) == ("CURRENT", "http://cloud.test:9696/image/v2/")


def test_the_light_image_is_there(demo: Client, light: str) -> None:
    image = demo.get(f"{V2}/images/{light}").json()
    assert (image["name"], image["status"], image["visibility"], image["netglass_guest"]) == (
        "light",
        "active",
        "public",
        "light",
    )
    listed = demo.get(V2 + "/images").json()
    assert listed["images"] == [image]
    assert listed["schema"] == "/v2/schemas/images"


def test_a_name_is_no_id(demo: Client) -> None:
    assert demo.get(V2 + "/images/light").status_code == 404
    assert found(demo, "?name=light") == ["light"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?name=dark", []),
        ("?status=active", ["light"]),
        ("?status=queued", []),
        ("?visibility=public&os_hidden=false", ["light"]),
        ("?visibility=all", ["light"]),
        ("?protected=true", ["light"]),
        ("?disk_format=raw&size_max=10", ["light"]),
        ("?size_min=1", []),
        ("?tag=blue", []),
        ("?colour=red", []),
        ("?sort=name:asc&limit=5", ["light"]),
        ("?sort_key=name&sort_dir=asc", ["light"]),
        ("?name=in:light,dark", ["light"]),
    ],
)
def test_filters(demo: Client, query: str, names: list[str]) -> None:
    assert found(demo, query) == names


def test_ids_may_be_listed(demo: Client, light: str) -> None:
    assert found(demo, f"?id=in:{light},other") == ["light"]
    assert found(demo, "?id=in:other") == []


@pytest.mark.parametrize("query", ["?limit=x", "?sort=colour", "?sort=name:up", "?marker=nothing"])
def test_bad_queries(demo: Client, query: str) -> None:
    assert demo.get(V2 + "/images" + query).status_code == 400


def test_private_images_are_their_projects(served: Any, demo: Client, rival: Client, admin: Client) -> None:
    owner = next(p.id for p in served.store.snapshot.all(Project) if p.name == "demo")
    put(served, Image(id="own", name="own", visibility="private", project_id=owner))
    assert sorted(found(demo)) == ["light", "own"]
    assert sorted(found(admin)) == ["light", "own"]
    assert found(rival) == ["light"]
    assert rival.get(V2 + "/images/own").status_code == 404


def test_pages_fit_together(served: Any, demo: Client) -> None:
    put(served, *(Image(id=f"i{n}", name=f"i{n}") for n in range(4)))
    url, names = "/v2/images?limit=2", []
    while url:
        page = demo.get("/image" + url).json()
        names += [image["name"] for image in page["images"]]
        url = page.get("next", "")
    assert sorted(names) == ["i0", "i1", "i2", "i3", "light"]


def test_nothing_is_uploaded_or_deleted(demo: Client, light: str) -> None:
    assert demo.post(V2 + "/images", json={"name": "x"}).status_code == 403
    assert demo.delete(f"{V2}/images/{light}").status_code == 403
    assert demo.get(f"{V2}/images/{light}/file").status_code == 404


def test_schemas(demo: Client) -> None:
    assert demo.get(V2 + "/schemas/image").json()["name"] == "image"
    assert demo.get(V2 + "/schemas/images").json()["name"] == "images"


def test_without_a_token_there_is_nothing(served: Any) -> None:
    assert served.http.get(V2 + "/images").status_code == 401
    assert served.http.delete(V2 + "/images/x").status_code == 401
