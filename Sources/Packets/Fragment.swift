/// Whose fragment a packet is, and which part of it (RFC 791 §3.2, RFC 8200 §4.5). What is not fragmented is a
/// fragment that is the whole.
struct Fragment: Sendable {
  let key: DatagramKey
  /// Of the packet itself, without what lies behind it.
  let packetLength: Int
  /// Of the headers that the whole has as well: not of an IPv6 Fragment header.
  let headerLength: Int
  /// Where the data is in the packet.
  let data: Range<Int>
  /// Where the data belongs in the datagram.
  let range: Range<Int>
  let moreFragments: Bool
  let congestion: CongestionMark

  /// - Returns: nil where a header is cut short or contradicts itself.
  init?(_ packet: RawSpan, domain: UInt8) {
    if let ip = try? IPv4(packet) {
      self.init(ip, domain: domain)
    } else if let ip = try? IPv6(packet), let headers = PerFragmentHeaders(ip) {
      self.init(ip, headers, domain: domain)
    } else {
      return nil
    }
  }

  private init(_ ip: borrowing IPv4, domain: UInt8) {
    key = DatagramKey(
      source: .init(
        domain: domain, version: 4, address: IPv6Address(high: 0, low: UInt64(ip.source.rawValue))),
      destination: IPv6Address(high: 0, low: UInt64(ip.destination.rawValue)),
      protocolNumber: ip.protocolNumber, identification: UInt32(ip.identification))
    packetLength = ip.totalLength
    headerLength = ip.headerLength
    data = ip.headerLength..<ip.totalLength
    range = ip.fragmentOffset..<(ip.fragmentOffset + data.count)
    moreFragments = ip.moreFragments
    congestion = CongestionMark(typeOfService: ip.typeOfService)
  }

  private init(_ ip: borrowing IPv6, _ headers: PerFragmentHeaders, domain: UInt8) {
    let offset = headers.fragment?.offset ?? 0
    // Not the next header: those of later fragments do not count (RFC 8200 §4.5).
    key = DatagramKey(
      source: .init(domain: domain, version: 6, address: ip.source), destination: ip.destination,
      protocolNumber: 0, identification: headers.fragment?.identification ?? 0)
    packetLength = ip.totalLength
    headerLength = headers.length
    let start =
      headers.fragment == nil ? headers.length : headers.length + PerFragmentHeaders.FragmentHeader.length
    data = start..<ip.totalLength
    range = offset..<(offset + data.count)
    moreFragments = headers.fragment?.moreFragments ?? false
    congestion = CongestionMark(typeOfService: ip.trafficClass)
  }

  /// All by itself, over IPv6 an "atomic fragment" (RFC 6946).
  var isWhole: Bool { range.lowerBound == 0 && !moreFragments }

  /// Any but the last must be a multiple of 8 bytes long, and none may be empty.
  var isSound: Bool { isWhole || !data.isEmpty && (!moreFragments || data.count % 8 == 0) }

  /// Whether the whole, with headers as short as can be, would be longer than a header can say.
  var isBeyondLimit: Bool { range.upperBound > (key.source.version == 4 ? 65535 - 20 : 65535) }
}

/// What all fragments of a datagram have in common (RFC 791 §3.2, RFC 8200 §4.5).
struct DatagramKey: Hashable, Sendable {
  struct Source: Hashable, Sendable {
    let domain: UInt8
    let version: UInt8
    /// That of IPv4 in the low half.
    let address: IPv6Address
  }

  let source: Source
  let destination: IPv6Address
  /// IPv4 only.
  let protocolNumber: UInt8
  let identification: UInt32
}

/// Explicit Congestion Notification (RFC 3168 §5).
struct CongestionMark: Equatable, Sendable {
  static let notCapable = CongestionMark(typeOfService: 0)
  static let experienced = CongestionMark(typeOfService: 3)

  /// 0...3.
  private(set) var rawValue: UInt8

  init(typeOfService: UInt8) { rawValue = typeOfService & 3 }

  /// Once congestion is experienced, the datagram says so. A mix with fragments that are not capable of that
  /// is an error (RFC 3168 §5.3); of what else may be mixed, FreeBSD lets pass what this does.
  ///
  /// - Returns: Whether the two go together.
  mutating func merge(_ other: CongestionMark) -> Bool {
    switch (self, other) {
    case (.notCapable, .experienced): return false
    case (_, .notCapable): return self == .notCapable
    case (_, .experienced): self = .experienced
    default: break
    }
    return true
  }
}
