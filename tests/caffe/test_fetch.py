"""Downloads from a local server: homes, cut connections, resumption, checksums, archives."""

import base64
import bz2
import contextlib
import errno
import gzip
import hashlib
import io
import lzma
import os
import re
import stat
import tarfile
import urllib.request
import zipfile

import numpy as np
import pytest
import thin
from oracles import caffe_files, torch_files
from tf_inverse.tools import cli
from webserver import server as server

from tf_inverse.archive import lock
from tf_inverse.archive.writer import StorageError
from tf_inverse.caffe import download, fetch
from tf_inverse.caffe.sources import PAIRS, SOURCES, Form, Source
from tf_inverse.compute import progress
from tf_inverse.errors import RefusedInput, UsageError


def weights(size, seed=0):
    """A weight file as Caffe writes it, of exactly `size` bytes: the network's name fills it up."""
    numbers = np.random.default_rng(seed).standard_normal((size // 8,), np.float32)
    blob = caffe_files.field(5, numbers.tobytes()) + caffe_files.field(
        7, caffe_files.field(1, caffe_files.varint(numbers.size))
    )
    layer = caffe_files.field(1, b"fc8") + caffe_files.field(7, blob)
    made = caffe_files.field(100, layer)
    name = size - len(made) - len(caffe_files.field(1, bytes(size // 3))) + size // 3
    return caffe_files.field(1, b"n" * name) + made


DATA = weights(300_000)
SHA1 = ("sha1", hashlib.sha1(DATA).hexdigest())


@pytest.fixture(autouse=True)
def good(server):
    server.files |= {path: DATA for path in ("/good", "/cut", "/changed", "/elsewhere")}


def table(server, *paths, checksum=SHA1, member=""):
    urls = tuple(server.address + path for path in paths)
    forms = (Form("file.caffemodel", urls, checksum, 300_000, member),)
    return {"caffenet": Source("a network", "A licence.", forms)}


def get(server, *paths, lines=None, **options):
    say = (lines if lines is not None else []).append
    return fetch.fetch("caffenet", say, table(server, *paths, **options))


def left():
    return sorted(path.name for path in fetch.cache_folder().iterdir())


def test_fetches_into_a_private_folder_and_only_once(server):
    lines = []
    fetched = get(server, "/good", lines=lines)
    assert fetched.path.read_bytes() == DATA and fetched.confirmed
    assert fetched.sha256 == hashlib.sha256(DATA).hexdigest()
    assert stat.S_IMODE(fetch.cache_folder().stat().st_mode) == 0o700
    assert lines[0] == (
        f"fetching caffenet, a network: file.caffemodel, about 0 MB, from {server.address}/good; "
        f"licence: A licence."
    )
    assert "published" in lines[-1] and left() == ["file.caffemodel"]
    get(server, "/good")
    assert len(server.seen) == 1


def test_the_next_home_is_taken(server):
    lines = []
    get(server, "/missing", "/page", "/moved", "/good", lines=lines)
    for word in ("404", "web page", "redirects to .*, which is not https"):
        assert any(re.search(word, line) for line in lines), word
    assert left() == ["file.caffemodel"]


def test_a_redirect_is_followed_to_https_alone():
    asked = urllib.request.Request("https://a.example/x", headers={"User-Agent": "u"})
    asked.add_unredirected_header("Authorization", "Basic bWU6cw==")
    rule = download.OnlyHttps()
    on = rule.redirect_request(asked, None, 302, "Found", {}, "https://b.example/x")
    assert on.full_url == "https://b.example/x" and not on.has_header("Authorization")
    for target in ("http://b.example/x", "ftp://b.example/x", "file:///etc/passwd"):
        with pytest.raises(ConnectionError, match="which is not https"):
            rule.redirect_request(asked, None, 302, "Found", {}, target)


def test_a_wrong_checksum_is_refused_and_nothing_stays(server):
    with pytest.raises(RefusedInput, match="expected sha1 0000, got "):
        get(server, "/good", checksum=("sha1", "0000"))
    assert left() == []


def test_a_damaged_file_in_the_cache_is_refused(server):
    path = get(server, "/good").path
    path.write_bytes(DATA[:-1] + b"!")
    with pytest.raises(RefusedInput, match="expected sha1"):
        get(server, "/good")


def test_a_cut_download_is_continued(server, monkeypatch):
    with pytest.raises(UsageError, match="cut off after 100000 of 300000 bytes; run again"):
        get(server, "/cut")
    monkeypatch.setitem(SOURCES, "caffenet", table(server, "/cut")["caffenet"])
    assert fetch.cached("caffenet") is None and fetch.begun(SOURCES["caffenet"]) == 100_000
    assert get(server, "/cut").path.read_bytes() == DATA
    assert server.seen == [("/cut", None), ("/cut", "bytes=100000-")]


@pytest.mark.parametrize("path", ["/changed", "/elsewhere"])
def test_what_cannot_be_continued_is_begun_again(server, path):
    """The file changed meanwhile, or the server gives another part than was asked for."""
    with pytest.raises(UsageError, match="cut off"):
        get(server, path)
    assert get(server, path).path.read_bytes() == DATA


def test_offline_is_one_line_with_the_file_and_the_command(server, monkeypatch, capsys):
    urls = ("http://127.0.0.1:9/x", "http://no-such-home.invalid/y")
    form = SOURCES["places205"].forms[0]._replace(urls=urls)
    monkeypatch.setitem(SOURCES, "places205", SOURCES["places205"]._replace(forms=(form,)))
    with pytest.raises(SystemExit) as stopped:
        cli.main(["units", "--network=places205"])
    *_, last = capsys.readouterr().err.splitlines()
    assert stopped.value.code == 2 and last.startswith("tf-inverse: no home of places205 could be")
    assert "check the network, or bring places205CNN_iter_300000.caffemodel yourself" in last
    assert last.endswith("tf-inverse fetch places205 --from=FILE")
    assert "(127.0.0.1:9: Connection refused; no-such-home.invalid: " in last
    assert "urlopen" not in last


def test_a_mirror_is_asked_first(server, monkeypatch):
    server.files["/mine/good"] = DATA
    monkeypatch.setenv("TF_INVERSE_MIRROR", f"{server.address}/mine/")
    get(server, "/good")
    assert [path for path, _ in server.seen] == ["/mine/good"]
    for wrong in ("file:///etc", "http://", "http://[", "http://a:b/", "mirror.example"):
        monkeypatch.setenv("TF_INVERSE_MIRROR", wrong)
        with pytest.raises(UsageError, match="expected TF_INVERSE_MIRROR to be http:// or https"):
            fetch.homes(SOURCES["caffenet"].forms[0])


def test_a_mirrors_password_is_sent_to_it_and_never_shown(server, monkeypatch):
    """RFC 7617: the user and password, decoded, with a colon between, in base 64."""
    secret, lines = server.address.replace("//", "//me:s%2Fcret@"), []
    for path in ("page/good", "mine/good"):
        monkeypatch.setenv("TF_INVERSE_MIRROR", f"{secret}/{path.split('/')[0]}")
        server.files |= {"/mine/good": DATA, "/page/good": b"<html> sign in"}
        with contextlib.suppress(RefusedInput):
            get(server, "/good", "/page", "/huge", lines=lines, checksum=("sha1", "0"))
    login = base64.b64encode(b"me:s/cret").decode()
    assert server.logins == {f"Basic {login}", None}
    for text in (
        "http://me:s%2Fcret@",
        "me:s%2Fcret@host",
        "http://me:s/cret@h/",
        "ftp://me:s?c@h",
    ):
        monkeypatch.setenv("TF_INVERSE_MIRROR", text)
        with pytest.raises(UsageError) as refused:
            fetch.homes(SOURCES["caffenet"].forms[0])
        lines.append(str(refused.value))
    assert any("gave a web page" in line for line in lines)
    assert not any(word in line for line in lines for word in ("me:", "cret", "s?c"))


def test_unpublished_checksums_are_recorded_and_compared(server):
    lines = []
    fetched = get(server, "/good", checksum=None, lines=lines)
    assert not fetched.confirmed and "no checksum is published; recorded sha256" in lines[-1]
    assert lines[-1].endswith("; what it holds is unchecked")  # a source of no known network
    get(server, "/good", checksum=None, lines=lines)
    assert "as recorded" in lines[-1]
    fetched.path.write_bytes(b"other")
    with pytest.raises(RefusedInput, match="has changed since"):
        get(server, "/good", checksum=None)


BROKEN = {"empty": b"", "noise": b"\x01" * 999, "cut off": DATA[:-9], "another": b"\xef\xbb\xbf<p>"}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_without_a_checksum_a_file_must_open(server, tmp_path, data):
    """In the cache it would stand before every home that has the true one."""
    server.files["/broken"] = data
    with pytest.raises(
        RefusedInput, match=r"broken is not file.caffemodel, .*bring file.caffemodel"
    ):
        get(server, "/broken", checksum=None)
    assert left() == []
    assert get(server, "/broken", "/good", checksum=None).path.read_bytes() == DATA
    file, before = tmp_path / "mine.caffemodel", left()
    file.write_bytes(data)
    with pytest.raises(RefusedInput, match="mine.caffemodel is not file.caffemodel"):
        fetch.bring("caffenet", file, [].append, table(server, "/good", checksum=None))
    assert left() == before and fetch.cached("caffenet") is None


def test_without_a_checksum_a_file_must_have_its_networks_layers(server, tmp_path, monkeypatch):
    """Else it would stand in the cache before every home, to fail at the first conversion."""
    thin.apply(monkeypatch)
    sources = {
        "caffenet": table(server, "/good")["caffenet"]._replace(network=("generator", "fc8"))
    }
    sources["caffenet"] = sources["caffenet"]._replace(forms=(Form("g.pt", ()),))
    file, lines = tmp_path / "mine.pt", []
    torch_files.write(file, thin.generator_weights("fc6"))
    with pytest.raises(RefusedInput, match=r"mine.pt is not g.pt, or damaged: .*'defc7' .*1000"):
        fetch.bring("caffenet", file, lines.append, sources)
    assert left() == []
    torch_files.write(file, thin.generator_weights("fc8"))
    assert fetch.bring("caffenet", file, lines.append, sources).path.name == "g.pt"
    assert "names and shapes of generator of codes fc8, its numbers are unchecked" in lines[-1]


def test_a_mean_must_open_too(server, tmp_path):
    file = tmp_path / "cut.binaryproto"
    file.write_bytes(DATA)  # a network is no mean
    with pytest.raises(RefusedInput, match="cut.binaryproto is not imagenet_mean.binaryproto"):
        fetch.bring("mean", file, [].append)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS])
def test_a_full_disk_is_no_fault_of_the_homes(server, monkeypatch, tmp_path, capsys, number):
    def full(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(download, "copy", full)
    with pytest.raises(StorageError, match=f"cannot write .*{os.strerror(number)}.*make room"):
        get(server, "/good", "/good")
    assert len(server.seen) == 1
    file = tmp_path / "mine.caffemodel"
    file.write_bytes(DATA)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["fetch", "ppgn-fc6", f"--from={file}"])
    assert stopped.value.code == 3 and fetch.cached("ppgn-fc6") is None
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"tf-inverse: cannot write: {os.strerror(number)}; make room")


def test_a_cache_folder_that_cannot_be_is_said(server, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder")
    for where in ("file", "file/below"):
        monkeypatch.setenv("TF_INVERSE_CACHE", str(tmp_path / where))
        with pytest.raises(UsageError, match="cannot be made .*set TF_INVERSE_CACHE to another"):
            get(server, "/good")
    # An empty word is none: files would lie in whatever folder the command runs in.
    monkeypatch.setenv("TF_INVERSE_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert fetch.cache_folder() == tmp_path / "tf_inverse"


def test_words_of_a_server_cannot_steer_the_terminal(capsys):
    fetch.tell("failed: \x1b[2J\r\nall is well")
    assert capsys.readouterr().err == "failed: ?[2J all is well\n"


def test_too_large_and_unknown_names_are_refused(server, monkeypatch):
    with pytest.raises(RefusedInput, match="offers 1000000000000 bytes"):
        get(server, "/huge")
    with pytest.raises(UsageError, match="expected one of caffenet, .* got 'vgg'"):
        fetch.fetch("vgg")
    full = download.shutil.disk_usage(".")._replace(free=1000)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: full)
    with pytest.raises(
        RefusedInput, match="expected 300000 bytes free in .*, found 1000; make room"
    ):
        get(server, "/good")


def test_one_process_fetches_at_a_time(server):
    folder = fetch.cache_folder()
    folder.mkdir()
    held = lock.Lock(folder / ".caffenet.lock", folder)
    with pytest.raises(lock.LockedError, match=f"by process {os.getpid()}"):
        get(server, "/good")
    held.release()
    get(server, "/good")


def archives():
    packed = {}
    for kind in ("zip", "tar"):
        buffer = io.BytesIO()
        if kind == "zip":
            with zipfile.ZipFile(buffer, "w") as archive:
                archive.writestr("release/fc6/generator.caffemodel", DATA)
                archive.writestr("../../fc7/generator.caffemodel", b"evil")
        else:
            with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
                info = tarfile.TarInfo("placesCNN/fc6/generator.caffemodel")
                info.size = len(DATA)
                archive.addfile(info, io.BytesIO(DATA))
        packed[kind] = buffer.getvalue()
    return packed


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_only_the_member_leaves_an_archive(server, kind):
    server.files["/archive"] = archives()[kind]
    fetched = get(server, "/archive", checksum=None, member="fc6/generator.caffemodel")
    assert fetched.path.read_bytes() == DATA
    assert left() == ["file.caffemodel", "file.caffemodel.sha256"]


def damaged():
    """Archives that Python's readers refuse with errors of many classes."""
    yield from (archives()["tar"][:5000], b"not an archive", b"")
    for pack in (gzip.compress, bz2.compress, lzma.compress):
        data = bytearray(pack(archives()["tar"]))
        data[len(data) // 2 :] = b"x" * 40
        yield bytes(data)
    locked = bytearray(archives()["zip"])
    for start in (b"PK\1\2", b"PK\3\4"):  # every entry is said to be encrypted
        at = -1
        while (at := locked.find(start, at + 1)) >= 0:
            locked[at + (8 if start == b"PK\1\2" else 6)] |= 1
    yield bytes(locked)


@pytest.mark.parametrize("data", damaged())
def test_broken_archives_are_refused(server, data):
    server.files["/archive"] = data
    with pytest.raises(RefusedInput, match="cannot unpack"):
        get(server, "/archive", checksum=None, member="fc6/generator.caffemodel")
    assert not any("caffemodel" in name for name in left() if not name.startswith("."))


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_an_archive_takes_no_more_memory_than_a_part_of_it(server, pack):
    """The header says nine megabytes of what follows it, and that is what is there."""
    head = tarfile.TarInfo("x")
    head.type, head.size = tarfile.XHDTYPE, 9 << 20
    large = io.BytesIO()
    with tarfile.open(fileobj=large, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("fc6/generator.caffemodel"))
    server.files["/archive"] = pack(head.tobuf() + bytes(9 << 20) + large.getvalue())
    with pytest.raises(RefusedInput, match="expected headers of at most 8388608 bytes"):
        get(server, "/archive", checksum=None, member="fc6/generator.caffemodel")
    server.files["/archive"] = pack(gzip.decompress(archives()["tar"]))
    fetched = get(server, "/archive", checksum=None, member="fc6/generator.caffemodel")
    assert fetched.path.read_bytes() == DATA


def test_archives_without_the_member_are_refused(server):
    server.files["/archive"] = archives()["zip"]
    with pytest.raises(RefusedInput, match="expected one pool5/generator.caffemodel in it"):
        get(server, "/archive", checksum=None, member="pool5/generator.caffemodel")


def test_a_local_file_takes_the_place_of_a_download(server, tmp_path):
    file, sources = tmp_path / "mine.bin", table(server, "/good")
    file.write_bytes(DATA)
    fetched = fetch.bring("caffenet", file, [].append, sources)
    assert fetched.confirmed and fetched.path.read_bytes() == DATA and server.seen == []
    assert left() == ["file.caffemodel"]


def test_a_local_file_is_checked_by_its_checksum(server, tmp_path):
    sources = table(server, "/good")
    other = Form("other.pt", (), ("sha256", hashlib.sha256(b"other").hexdigest()))
    sources["other"] = Source("another network", "", (other,))
    sources["free"] = Source(
        "a free one", "", (Form("free.pt", ()), Form("f.h5", (), None, 0, "x/f"))
    )
    for data, suffix, name, message in (
        (b"!", ".caffemodel", "caffenet", r"expected file.caffemodel sha1 .* for caffenet, got"),
        (b"other", ".caffemodel", "caffenet", r"is other \(another network\) by its checksum, not"),
        (b"other", ".pt", "free", r"is other \(another network\) by its checksum, not free"),
        (b"!", ".caffemodel", "free", "expected free.pt or f.h5 for free"),
        (b"!", ".zip", "free", "cannot unpack"),
    ):
        file = tmp_path / f"mine{suffix}"
        file.write_bytes(data)
        with pytest.raises(RefusedInput, match=message):
            fetch.bring(name, file, [].append, sources)
    file = tmp_path / "mine.pt"
    for number in (1, 2):  # the second file takes the place of the first
        torch_files.write(file, {"fc8.weight": np.full((2, 3), number, np.float32)})
        fetched = fetch.bring("free", file, [].append, sources)
        assert not fetched.confirmed and fetched.path.read_bytes() == file.read_bytes()
    with pytest.raises(FileNotFoundError, match="found none at"):
        fetch.bring("free", tmp_path / "none", [].append, sources)


def test_progress_tells_how_much_how_fast_and_when_it_ends(monkeypatch, capsys):
    assert progress.transferred(50_000_000, 224_000_000, 2e6) == (
        "50.0 of 224.0 MB, 2.0 MB/s, 1:27 left"
    )
    assert progress.transferred(5_000_000, None, 1e6) == "5.0 MB, 1.0 MB/s"
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)
    with progress.Transfer(200, have=100) as shown:
        shown.add(100)
    assert f"[{'=' * progress.WIDTH}] 0.0 of 0.0 MB" in capsys.readouterr().err


def test_every_source_has_what_a_user_needs():
    for name, source in SOURCES.items():
        assert source.what and source.licence and source.forms, name
        assert all(url.startswith("http") for form in source.forms for url in form.urls)
        for form in source.forms:
            digits = {"sha256": 64, "sha1": 40, "md5": 32}
            assert not form.checksum or len(form.checksum[1]) == digits[form.checksum[0]]
    assert SOURCES["caffenet"].forms[0].checksum[1] == "4c8d77deb20ea792f84eb5e6d0a11ca0a8660a46"
    assert {part for pair in PAIRS.values() for part in pair[:2]} <= set(SOURCES)
    # DeePSiM's files lie on a hub that says MIT; their authors say research only.
    for name in SOURCES:
        if name.startswith(("deepsim", "ppgn")):
            assert "research purposes only" in SOURCES[name].licence
            assert "MIT" not in SOURCES[name].licence


def test_the_command_line_refuses_words_that_cannot_be(server, capsys):
    for words, message in (
        (["fetch"], "expected names, as in tf-inverse fetch caffenet; --list shows all"),
        (["fetch", "a", "b", "--from=c"], "expected one name of a file with --from"),
        (["fetch", "caffenet", "vgg"], "mean to fetch, got 'vgg'"),
        (["fetch", "mean", "--from=nothing"], "expected a file, found none at nothing"),
    ):
        with pytest.raises(SystemExit) as stopped:
            cli.main(words)
        assert stopped.value.code == 2 and message in capsys.readouterr().err
