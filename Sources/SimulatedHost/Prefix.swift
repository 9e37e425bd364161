import Packets

/// An address of either version; IPv4 is kept in the lower half of `low`.
struct HostAddress: Hashable, Sendable {
  var version: UInt8
  var high: UInt64
  var low: UInt64

  init(_ address: IPv4Address) { (version, high, low) = (4, 0, UInt64(address.rawValue)) }
  init(_ address: IPv6Address) { (version, high, low) = (6, address.high, address.low) }

  init(_ text: some StringProtocol) throws(SimulationError) {
    let text = String(text)
    if let address = IPv4Address(text) {
      self.init(address)
    } else if let address = IPv6Address(text) {
      self.init(address)
    } else {
      throw SimulationError("\(text) is no address")
    }
  }

  var version4: IPv4Address? { version == 4 ? IPv4Address(rawValue: UInt32(low)) : nil }
  var version6: IPv6Address? { version == 6 ? IPv6Address(high: high, low: low) : nil }

  /// To a group, or to all on a network: for every host that hears it.
  var isMulticast: Bool {
    version == 4 ? (224...239).contains(low >> 24) || low == 0xffff_ffff : high >> 56 == 0xff
  }

  /// Every link has it, or its own of that name: a group, or link-local (RFC 4007 §4).
  var isOfSeveralLinks: Bool { isMulticast || version == 6 && high >> 54 == 0x3fa }

  var isLoopback: Bool { version == 4 ? low >> 24 == 127 : (high, low) == (0, 1) }
}

/// An address and the length of its network's prefix.
struct Prefix: Hashable, Sendable {
  let address: HostAddress
  let length: Int

  static let all4 = Prefix(address: HostAddress(IPv4Address.any), length: 0)
  static let all6 = Prefix(address: HostAddress(IPv6Address(high: 0, low: 0)), length: 0)

  init(address: HostAddress, length: Int) { (self.address, self.length) = (address, length) }

  /// `192.0.2.1/24`, `2001:db8::1/64`; without a length the address alone.
  init(_ text: String) throws(SimulationError) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    address = try HostAddress(parts[0])
    let longest = address.version == 4 ? 32 : 128
    guard parts.count == 2 else {
      length = longest
      return
    }
    guard let length = Int(parts[1]), (0...longest).contains(length) else {
      throw SimulationError("\(text): the prefix length is not in 0...\(longest)")
    }
    self.length = length
  }

  func contains(_ other: HostAddress) -> Bool {
    guard other.version == address.version else { return false }
    if address.version == 4 {
      let mask = length == 0 ? 0 : UInt64(UInt32.max << UInt32(32 - length))
      return (address.low ^ other.low) & mask == 0
    }
    let high = UInt64.max << UInt64(max(0, 64 - length))
    let low = length <= 64 ? 0 : UInt64.max << UInt64(128 - length)
    return ((address.high ^ other.high) & high) | ((address.low ^ other.low) & low) == 0
  }

  /// Whether an address is the network's broadcast address.
  func isBroadcast(_ other: HostAddress) -> Bool {
    guard address.version == 4, length < 31, contains(other) else { return false }
    let host = UInt64(UInt32.max >> UInt32(length))
    return other.low & host == host
  }
}

struct Route: Sendable {
  let prefix: Prefix
  let interface: UInt32
}
