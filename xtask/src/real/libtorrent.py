# The libtorrent of the lab: adds one torrent and stays until it is killed.
# Arguments: the .torrent or a magnet URI, the folder, the address, the port, when to encrypt, how,
# and a node of the DHT to begin with, or nothing.
import sys
import time

import libtorrent as lt

torrent, folder, ip, port, policy, level, node = sys.argv[1:]
session = lt.session({
    "listen_interfaces": f"{ip}:{port}",
    "outgoing_interfaces": ip,
    "enable_dht": bool(node),
    "dht_bootstrap_nodes": node,
    # All nodes are neighbours here.
    "dht_restrict_routing_ips": False,
    "dht_restrict_search_ips": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_outgoing_utp": False,
    "enable_incoming_utp": False,
    "in_enc_policy": int(policy),
    "out_enc_policy": int(policy),
    "allowed_enc_level": int(level),
    # From a peer of the tracker it wants plaintext first, and waits so long before it tries encryption.
    "min_reconnect_time": 1,
    "alert_mask": lt.alert.category_t.error_notification
    | lt.alert.category_t.status_notification
    | lt.alert.category_t.tracker_notification
    | lt.alert.category_t.peer_notification,
})
if torrent.startswith("magnet:"):
    params = lt.parse_magnet_uri(torrent)
    params.save_path = folder
    session.add_torrent(params)
else:
    session.add_torrent({"ti": lt.torrent_info(torrent), "save_path": folder})
while True:
    session.wait_for_alert(1000)
    for alert in session.pop_alerts():
        print(f"{time.monotonic():.3f} {alert}", flush=True)
