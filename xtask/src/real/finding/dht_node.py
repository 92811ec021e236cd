# A node of the DHT and nothing else.
# Arguments: its address, its port, and a node to begin with, or nothing.
import sys

import libtorrent as lt

address, port, known = sys.argv[1:]
session = lt.session({
    "listen_interfaces": f"{address}:{port}",
    "outgoing_interfaces": address,
    "enable_dht": True,
    "dht_bootstrap_nodes": known,
    # All of them are neighbours here.
    "dht_restrict_routing_ips": False,
    "dht_restrict_search_ips": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "alert_mask": lt.alert.category_t.dht_notification | lt.alert.category_t.status_notification,
})
# The first has nobody to begin with.
awaited = lt.dht_bootstrap_alert if known else lt.listen_succeeded_alert
while True:
    session.wait_for_alert(1000)
    for alert in session.pop_alerts():
        if isinstance(alert, awaited):
            print("ready", flush=True)
