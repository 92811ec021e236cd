# The libtorrent of the spread bench: seeds or downloads, and then seeds, until it is ended.
# Arguments: the .torrent, the folder, the address with its port, bytes a second, the file that says
# that it has everything.
import sys

import libtorrent as lt

torrent, folder, listen, limit, done = sys.argv[1:]
session = lt.session({
    "listen_interfaces": listen,
    # Or all of them would come from one address, of which each takes only one connection.
    "outgoing_interfaces": listen.split(":")[0],
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_outgoing_utp": False,
    "enable_incoming_utp": False,
    "in_enc_policy": 2,
    "out_enc_policy": 2,
    "upload_rate_limit": int(limit),
    "alert_mask": lt.alert.category_t.error_notification
    | lt.alert.category_t.status_notification,
})
session.add_torrent({"ti": lt.torrent_info(torrent), "save_path": folder})
while True:
    session.wait_for_alert(1000)
    for alert in session.pop_alerts():
        if isinstance(alert, lt.torrent_finished_alert):
            open(done, "w").close()
