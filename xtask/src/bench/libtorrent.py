# The libtorrent of the bench: does one task with one torrent.
# Arguments: the task, the .torrent, the folder, the address with its port, where a new .torrent goes,
# the piece length.
import os
import sys

import libtorrent as lt

task, torrent, folder, listen, output, piece_length = sys.argv[1:]
if task == "create":
    files = lt.file_storage()
    lt.add_files(files, os.path.join(folder, "noise.bin"))
    # 64 is v1_only, which this binding has no name for.
    made = lt.create_torrent(files, int(piece_length), 64)
    lt.set_piece_hashes(made, folder)
    with open(output, "wb") as file:
        file.write(lt.bencode(made.generate()))
    sys.exit()

session = lt.session({
    "listen_interfaces": listen,
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_outgoing_utp": False,
    "enable_incoming_utp": False,
    "in_enc_policy": 2,
    "out_enc_policy": 2,
    "alert_mask": lt.alert.category_t.error_notification
    | lt.alert.category_t.status_notification
    | lt.alert.category_t.storage_notification,
})
handle = session.add_torrent({"ti": lt.torrent_info(torrent), "save_path": folder})
done = False
while not done:
    session.wait_for_alert(1000)
    for alert in session.pop_alerts():
        if task == "seed":
            continue
        if isinstance(alert, lt.torrent_finished_alert):
            # Some blocks may be on their way to the page cache still.
            handle.flush_cache()
        done = done or isinstance(alert, lt.cache_flushed_alert)
# Nothing is to be saved.
os._exit(0)
