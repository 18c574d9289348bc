import importlib.util
import struct
import zlib

import pytest
from hooks import frame_of, judge, judge_values
from tiny_media import clothing, image_bytes, sound_bytes, spoken_digits, tone, video_bytes

from lsml_spark.core.errors import ConfigError
from lsml_spark.quality.check import RowCheck, parse
from lsml_spark.quality.checks.decodable import audio, image, video

pytestmark = pytest.mark.spark
ANY = 100_000_000


def cut(data: bytes, share: float = 0.6) -> bytes:
    return data[: int(len(data) * share)]


def bomb(side: int = 60_000) -> bytes:
    """A PNG header that promises side × side pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + b"\0" * 12
    )


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP", "WEBP"])
def test_an_image_decodes_to_its_end(form):
    data = image_bytes(form=form)
    assert image(data, ANY)
    assert not image(cut(data), ANY)
    assert not image(b"no image at all", ANY)


def test_an_image_too_large_is_not_loaded():
    assert not image(bomb(), ANY)
    assert image(image_bytes(size=(48, 40)), 48 * 40)
    assert not image(image_bytes(size=(48, 40)), 48 * 40 - 1)


def test_a_damaged_png_is_found():
    data = bytearray(image_bytes(form="PNG"))
    data[len(data) // 2] ^= 0xFF
    assert not image(bytes(data), ANY)


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "MP3"])
def test_sound_decodes_to_its_end(form):
    data = sound_bytes(tone(seconds=1.0), form)
    assert audio(data)
    assert not audio(b"RIFFno sound at all")
    assert not audio(data[:30])
    if form in ("WAV", "FLAC"):  # the others are streams: what was there is all that there is
        assert not audio(cut(data))


def test_sound_without_samples_is_none():
    assert not audio(sound_bytes(tone(seconds=0.0)))


def test_a_video_decodes_to_its_last_frame():
    data = video_bytes()
    assert video(data, ANY)
    assert not video(data, 64 * 48 - 1)
    assert not video(cut(data), ANY)
    middle = data.index(b"mdat") + 400
    assert not video(data[:middle] + b"\0" * 3000 + data[middle + 3000 :], ANY)
    assert not video(sound_bytes(tone()), ANY)


def test_a_playlist_opens_no_other_file(tmp_path):
    (tmp_path / "film.mp4").write_bytes(video_bytes())
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{tmp_path}/film.mp4\n#EXT-X-ENDLIST\n"
    assert not video(playlist.encode(), ANY)
    assert not video(f"ffconcat version 1.0\nfile {tmp_path}/film.mp4\n".encode(), ANY)


def test_bytes_of_a_column_are_judged_row_by_row(spark):
    good = image_bytes()
    assert judge_values(spark, {"decodable": "image"}, "binary", [good, cut(good), None, b"", good]) == [
        False,
        True,
        False,
        True,
        False,
    ]


def test_paths_stay_below_their_folder(spark, tmp_path):
    folder = tmp_path / "sounds"
    (folder / "sub").mkdir(parents=True)
    data = sound_bytes(tone())
    for path in (folder / "sub" / "a.wav", tmp_path / "outside.wav"):
        path.write_bytes(data)
    (folder / "link.wav").symlink_to(tmp_path / "outside.wav")
    values = [
        "sub/a.wav",
        "../outside.wav",
        str(tmp_path / "outside.wav"),
        "link.wav",
        "none.wav",
        "sub",
        "",
        "x" * 5000,
        "a\0b",
        None,
        str(folder / "sub/a.wav"),
    ]
    found = judge_values(spark, {"decodable": {"kind": "audio", "folder": str(folder)}}, "string", values)
    assert found == [False] + [True] * 8 + [False, False]


def test_what_cannot_work_is_a_config_error(spark, monkeypatch):
    with pytest.raises(ConfigError, match="folder"):
        judge({"decodable": "image"}, frame_of(spark, "v string", [("x",)]))
    with pytest.raises(ConfigError, match="wants bytes or paths"):
        judge({"decodable": "image"}, frame_of(spark, "v int", [(1,)]))
    with pytest.raises(ConfigError, match="not there"):
        judge(
            {"decodable": {"kind": "image", "folder": "/no/such/folder"}},
            frame_of(spark, "v string", [("x",)]),
        )
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"install lsml_spark\[media\]"):
        judge({"decodable": "image"}, frame_of(spark, "v binary", [(b"x",)]))
    with pytest.raises(ValueError, match="kind"):
        parse({"decodable": "smell"}, RowCheck)


def test_real_files_decode_and_cut_ones_do_not(shared_data):
    photographs = clothing(shared_data, 40)
    assert all(image(data, ANY) for data in photographs)
    assert not any(image(cut(data, 0.95), ANY) for data in photographs)
    digits = spoken_digits(shared_data, 50)
    assert all(map(audio, digits))
    assert not any(audio(data[:-100]) for data in digits)


@pytest.mark.slow
def test_real_videos_decode_and_cut_ones_do_not(shared_data):
    paths = sorted((shared_data / "video").glob("*.mp4"))
    if not paths:
        pytest.skip(f"{shared_data / 'video'} is not there")
    for path in paths:
        assert video(path.read_bytes(), ANY)
        assert not video(cut(path.read_bytes(), 0.9), ANY)


def test_the_stage_quarantines_what_does_not_decode(check_day, raw_day, tmp_path):
    (tmp_path / "good.jpg").write_bytes(image_bytes())
    (tmp_path / "cut.jpg").write_bytes(cut(image_bytes()))
    rule = {"decodable": {"kind": "image", "folder": str(tmp_path)}, "on_bad": "quarantine"}
    day = check_day({"v": "string"}, raw_day(["v", "good.jpg", "cut.jpg", "none.jpg"]), columns={"v": [rule]})
    assert [row["_line"] for row in day.clean] == [2]
    assert {row["reason"] for row in day.quarantine} == {"v: does not decode as image"}
