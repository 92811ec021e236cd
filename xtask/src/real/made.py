# What libtorrent says about a torrent, and what it makes of the same files itself, as JSON.
# Arguments: the .torrent, the file or folder it was made of, its version (v1, v2 or hybrid).
import json
import os
import sys

import libtorrent as lt

FLAGS = {"v1": 64, "v2": 32, "hybrid": 0}
PADDING = lt.file_flags_t.flag_pad_file


def describe(info):
    files = info.files()
    real = [i for i in range(files.num_files()) if not files.file_flags(i) & PADDING]
    hashes = info.info_hashes()
    return {
        "name": info.name(),
        "piece_length": info.piece_length(),
        "info_hash": str(hashes.v1) if hashes.has_v1() else None,
        "info_hash_v2": str(hashes.v2) if hashes.has_v2() else None,
        "files": sorted([files.file_path(i), files.file_size(i)] for i in real),
    }


def make(content, version):
    content = os.path.abspath(content)
    parent = os.path.dirname(content)
    files = lt.file_storage()
    if version == "v1" and os.path.isdir(content):
        # It takes the files of a version 1 torrent in whatever order it is given them.
        found = [os.path.join(at, name) for at, _, names in os.walk(content) for name in names]
        for path in sorted(found, key=lambda path: path.split("/")):
            files.add_file(os.path.relpath(path, parent), os.path.getsize(path))
    else:
        lt.add_files(files, content)
    torrent = lt.create_torrent(files, piece_size=0, flags=FLAGS[version])
    lt.set_piece_hashes(torrent, parent)
    return lt.torrent_info(lt.bencode(torrent.generate()))


theirs = describe(lt.torrent_info(sys.argv[1]))
own = describe(make(sys.argv[2], sys.argv[3]))
print(json.dumps({"read": theirs, "own": own}))
