//! Networks that tokens are bound to: `10.0.0.0/8`, `2001:db8::/32`, or one address.

use std::net::IpAddr;

/// Whether a text names a network or an address.
pub fn is_network(text: &str) -> bool {
    parse(text).is_some()
}

/// Whether an address lies in one of the networks. A text that names none holds nobody.
pub fn any_contains(networks: &[String], address: IpAddr) -> bool {
    networks
        .iter()
        .filter_map(|text| parse(text))
        .any(|(network, bits)| contains(network, bits, address.to_canonical()))
}

fn parse(text: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        Some(bits) if bits.bytes().all(|b| b.is_ascii_digit()) => bits.parse().ok()?,
        Some(_) => return None,
        None => longest,
    };
    (bits <= longest).then_some((address, bits))
}

fn contains(network: IpAddr, bits: u32, address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            network.to_bits() & mask == address.to_bits() & mask
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            network.to_bits() & mask == address.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(network: &str, address: &str, expect: bool) {
        let networks = [network.to_owned()];
        let address = address.parse().expect("an address");
        assert_eq!(
            any_contains(&networks, address),
            expect,
            "{network} {address}"
        );
    }

    #[test]
    fn networks_hold_their_addresses() {
        check("10.0.0.0/8", "10.1.2.3", true);
        check("10.0.0.0/8", "11.1.2.3", false);
        check("10.1.2.3", "10.1.2.3", true);
        check("10.1.2.3/32", "10.1.2.4", false);
        check("0.0.0.0/0", "1.2.3.4", true);
        check("0.0.0.0/0", "::1", false);
        check("10.0.0.0/8", "::ffff:10.1.2.3", true);
        check("2001:db8::/32", "2001:db8:1::1", true);
        check("::/0", "2001:db8:1::1", true);
        check("no network", "1.2.3.4", false);
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0/8",
            "::/129",
            "a/8",
        ] {
            assert!(!is_network(text), "{text}");
        }
    }
}
