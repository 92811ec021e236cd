//! Ports of services that are no peers and no trackers: mail, names, shells. It is the list that
//! browsers refuse (Fetch standard, "bad port"), since a request there can be taken for a command,
//! with the two of Windows networks added and without port 1, where nothing is run any more.

const SERVICES: [u16; 83] = [
    7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102,
    103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 138, 139, 143, 161, 179, 389, 427,
    445, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989,
    990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666,
    6667, 6668, 6669, 6679, 6697, 10080,
];

/// Whether such a service is to be expected at this port.
pub fn is_service(port: u16) -> bool {
    SERVICES.binary_search(&port).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_told_from_peers_and_trackers() {
        assert!(SERVICES.is_sorted(), "for the search");
        for port in [22, 25, 53, 123, 445, 6667] {
            assert!(is_service(port), "{port}");
        }
        for port in [80, 443, 451, 1337, 2710, 6881, 6969, 8080, 51413] {
            assert!(!is_service(port), "{port}");
        }
    }
}
