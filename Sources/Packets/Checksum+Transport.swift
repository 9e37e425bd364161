extension Checksum {
  /// What the transport checksum of an IPv4 or IPv6 packet should be, whatever is in its place.
  ///
  /// - Parameter packet: From the IP header on. Its header checksum does not matter.
  /// - Returns: nil where there is none that could be computed: a fragment, a header cut short, a protocol
  ///   other than TCP, UDP, UDP-Lite, ICMP and ICMPv6, a packet still on its way through a routing header.
  ///   A UDP checksum that comes out as 0 is 0xffff (RFC 768).
  public static func transport(of packet: RawSpan) -> UInt16? {
    guard let place = TransportPlace(packet) else { return nil }
    return place.checksum(packet)
  }

  /// Whether the transport checksum is right; nil where ``transport(of:)`` is. A UDP checksum of 0 over IPv4
  /// says that there is none, which is right (RFC 768).
  public static func isTransportValid(in packet: RawSpan) -> Bool? {
    guard let place = TransportPlace(packet) else { return nil }
    let found: UInt16 = packet.integer(at: place.field)
    if place.protocolNumber == 17 && found == 0 { return place.version == 4 }
    return place.sum(packet) == 0xffff
  }

  /// Writes the transport checksum, also where UDP had none.
  ///
  /// - Returns: Whether there is one.
  @discardableResult
  public static func updateTransport(of packet: inout MutableRawSpan) -> Bool {
    guard let place = TransportPlace(packet.bytes) else { return false }
    packet.store(place.checksum(packet.bytes), at: place.field)
    return true
  }
}

/// Where a packet's transport checksum is, and what it covers.
private struct TransportPlace {
  let version: UInt8
  let protocolNumber: UInt8
  /// Of the checksum in the packet.
  let field: Int
  let covered: Range<Int>
  /// Of the pseudo header (RFC 9293 §3.1, RFC 8200 §8.1); 0 where ICMP has none.
  let pseudoSum: UInt16

  init?(_ packet: RawSpan) {
    let start: Int
    let end: Int
    let addresses: Range<Int>
    if let ip = try? IPv4(packet) {
      guard !ip.isFragment else { return nil }
      (version, protocolNumber, addresses) = (4, ip.protocolNumber, 12..<20)
      (start, end) = (ip.headerLength, ip.totalLength)
    } else if let ip = try? IPv6(packet) {
      guard let upper = ip.upperLayer, !upper.isFragment, !upper.isRouted else { return nil }
      (version, protocolNumber, addresses) = (6, upper.protocolNumber, 8..<40)
      (start, end) = (upper.offset, ip.totalLength)
    } else {
      return nil
    }

    let needed: Int
    switch (protocolNumber, version) {
    case (6, _): (needed, field) = (20, start + 16)
    case (17, _), (136, _): (needed, field) = (8, start + 6)
    case (1, 4), (58, 6): (needed, field) = (4, start + 2)
    default: return nil
    }
    guard end - start >= needed else { return nil }

    var length = end - start
    var coverage = length
    if protocolNumber == 17 {
      length = Int(packet.integer(at: start + 4, as: UInt16.self))
      guard (8...(end - start)).contains(length) else { return nil }
      coverage = length
    } else if protocolNumber == 136 {  // RFC 3828 §3.1: 0 covers all; less than the header is an error
      let given = Int(packet.integer(at: start + 4, as: UInt16.self))
      guard given == 0 || (8...length).contains(given) else { return nil }
      if given > 0 { coverage = given }
    }
    covered = start..<(start + coverage)
    if protocolNumber == 1 {
      pseudoSum = 0
    } else {
      // a packet's length fits into 17 bits, IPv6's header included
      let total = UInt64(Checksum.sum(packet.extracting(addresses))) + UInt64(protocolNumber) + UInt64(length)
      pseudoSum = Checksum.folded(total)
    }
  }

  /// The sum over pseudo header and data, the checksum field included.
  func sum(_ packet: RawSpan) -> UInt16 {
    Checksum.folded(UInt64(pseudoSum) + UInt64(Checksum.sum(packet.extracting(covered))))
  }

  func checksum(_ packet: RawSpan) -> UInt16 {
    let before = Checksum.sum(packet.extracting(covered.lowerBound..<field))
    let behind = Checksum.sum(packet.extracting((field + 2)..<covered.upperBound))
    let sum = ~Checksum.folded(UInt64(pseudoSum) + UInt64(before) + UInt64(behind))
    return sum == 0 && (protocolNumber == 17 || protocolNumber == 136) ? 0xffff : sum
  }
}
