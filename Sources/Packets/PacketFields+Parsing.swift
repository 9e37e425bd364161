extension PacketFields {
  /// Reads the fields from a packet that starts at its IP header.
  ///
  /// Unreadable is what a host would drop unread: a header that is cut short, lengths that contradict each
  /// other or go beyond the bytes; and what ipfw drops before its rules (ipfw(8), FINE POINTS; ip_fw2.c, "pullup
  /// failed"): a transport or extension header that is not all there, and a TCP fragment at offset 8, which would
  /// rewrite the flags of the first one (RFC 3128). Bytes behind the packet's own length are ignored.
  ///
  /// A transport header is there when its fixed part is: TCP 20 bytes, UDP and UDP-Lite 8, SCTP 12, ICMP and
  /// ICMPv6 4 (type, code, checksum).
  @inlinable package init(parsing bytes: RawSpan) {
    self.init(parsing: bytes, wireLength: bytes.byteCount)
  }

  /// The same for the beginning of a packet, of which a capture has kept no more.
  ///
  /// - Parameter wireLength: How long the whole was. What lies within it counts as there, if the field itself
  ///   can be read.
  @inlinable package init(parsing bytes: RawSpan, wireLength: Int) {
    self.init()
    guard bytes.byteCount >= 20 else { return }
    switch bytes.integer(at: 0, as: UInt8.self) >> 4 {
    case 4: readIPv4(bytes, wireLength)
    case 6: readIPv6(bytes, wireLength)
    default: break
    }
  }

  /// RFC 791 §3.1.
  @inlinable package mutating func readIPv4(_ bytes: RawSpan, _ wireLength: Int) {
    let headerLength = Int(bytes.integer(at: 0, as: UInt8.self) & 0x0f) * 4
    let totalLength = Int(bytes.integer(at: 2, as: UInt16.self))
    guard headerLength >= 20, headerLength <= totalLength, totalLength <= wireLength else { return }
    let fragment: UInt16 = bytes.integer(at: 6)
    let number: UInt8 = bytes.integer(at: 9)
    let offset = (fragment & 0x1fff) * 8
    guard !(number == 6 && offset == 8) else { return }
    version = 4
    protocolNumber = number
    fragmentOffset = offset
    moreFragments = fragment & 0x2000 != 0
    fragmentBits = UInt8(fragment >> 13) << 5 | (offset == 0 ? 0 : 1)
    length = UInt32(totalLength)
    source4 = IPv4Address(rawValue: bytes.integer(at: 12))
    destination4 = IPv4Address(rawValue: bytes.integer(at: 16))
    guard offset == 0 else { return }
    readTransport(bytes, headerLength, totalLength)
  }

  /// RFC 8200 §3 and §4; the extension headers are those of RFC 7045 §4 that can be read past. Behind an
  /// encrypted part (ESP) nothing can be seen: the protocol is then that header's number. So it is with a header that
  /// the capture has cut.
  @inlinable package mutating func readIPv6(_ bytes: RawSpan, _ wireLength: Int) {
    guard bytes.byteCount >= 40 else { return }
    let totalLength = 40 + Int(bytes.integer(at: 4, as: UInt16.self))
    guard totalLength <= wireLength else { return }
    let end = min(totalLength, bytes.byteCount)
    version = 6
    length = UInt32(totalLength)
    source6 = IPv6Address(high: bytes.integer(at: 8), low: bytes.integer(at: 16))
    destination6 = IPv6Address(high: bytes.integer(at: 24), low: bytes.integer(at: 32))
    protocolNumber = bytes.integer(at: 6)

    var start = 40
    while true {
      guard let size = PacketFields.extensionHeaderSize(protocolNumber, bytes, start, end) else {
        break
      }
      guard size > 0 else {  // cut short
        if end == totalLength { self = PacketFields() }
        return
      }
      let next: UInt8 = bytes.integer(at: start)
      if protocolNumber == 44 {  // RFC 8200 §4.5
        let fragment: UInt16 = bytes.integer(at: start + 2)
        fragmentOffset = fragment & 0xfff8
        moreFragments = fragment & 1 != 0
      }
      protocolNumber = next
      start += size
      guard fragmentOffset == 0 else {
        if next == 6 && fragmentOffset == 8 { self = PacketFields() }
        return
      }
    }
    readTransport(bytes, start, totalLength)
  }

  /// The bytes an extension header takes, 0 where it is cut short, nil where the number names none.
  @inlinable package static func extensionHeaderSize(
    _ number: UInt8, _ bytes: RawSpan, _ start: Int, _ end: Int
  ) -> Int? {
    let size: Int
    switch number {
    case 0, 43, 60, 135, 139, 140:  // Hop-by-Hop, Routing, Destination, Mobility, HIP, Shim6
      guard end - start >= 8 else { return 0 }
      size = (Int(bytes.integer(at: start + 1, as: UInt8.self)) + 1) * 8
    case 44:
      size = 8
    case 51:  // Authentication, in units of 4 bytes (RFC 4302 §2.2)
      guard end - start >= 8 else { return 0 }
      size = (Int(bytes.integer(at: start + 1, as: UInt8.self)) + 2) * 4
    default:
      return nil
    }
    return size <= end - start ? size : 0
  }

  /// A transport header from `start` on, in a packet that ends at `wireEnd`: behind it there may be more bytes, or
  /// before it they may end, where a capture has cut it.
  @inlinable package mutating func readTransport(_ bytes: RawSpan, _ start: Int, _ wireEnd: Int) {
    let least: Int
    let read: Int  // of these, so many bytes are looked at
    switch (protocolNumber, version) {
    case (6, _): (least, read) = (20, 14)
    case (17, _), (136, _): (least, read) = (8, 4)
    case (132, _): (least, read) = (12, 4)
    case (1, 4), (58, 6): (least, read) = (4, 2)
    default: return
    }
    guard wireEnd - start >= least else {
      self = PacketFields()
      return
    }
    guard bytes.byteCount - start >= read else { return }
    if least == 4 {
      icmpType = bytes.integer(at: start)
      icmpCode = bytes.integer(at: start + 1)
      transport = .icmp
    } else {
      sourcePort = bytes.integer(at: start)
      destinationPort = bytes.integer(at: start + 2)
      if protocolNumber == 6 { tcpFlags = bytes.integer(at: start + 13) }
      transport = .ports
    }
  }
}
