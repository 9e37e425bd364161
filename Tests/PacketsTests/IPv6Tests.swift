import Packets
import TestSupport
import Testing

struct IPv6Tests {
  static let packet = hex(
    """
    6b 81 23 45            // version 6, traffic class 0xb8, flow label 0x12345
    00 28 00 40            // payload length 40, Hop-by-Hop, hop limit 64
    20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01  // 2001:db8::1
    fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 02  // fe80::2
    3c 00 05 02 00 00 01 00  // Hop-by-Hop: next Destination Options; router alert, PadN
    33 00 01 04 00 00 00 00  // Destination Options: next Authentication; PadN
    2c 01 00 00 00 00 00 09  // Authentication (RFC 4302), 12 bytes: next Fragment; SPI 9
    00 00 00 01              //   sequence number
    3a 00 00 00 00 00 00 2a  // Fragment: next ICMPv6; offset 0, no more; identification 42
    80 00 00 00              // an echo request, cut short
    """)

  @Test func `a packet is taken apart`() throws {
    let ip = try IPv6((Self.packet + [1, 2, 3]).rawSpan)
    #expect(ip.trafficClass == 0xb8)
    #expect(ip.flowLabel == 0x12345)
    #expect(ip.totalLength == 80)
    #expect(ip.nextHeader == 0)
    #expect(ip.hopLimit == 64)
    #expect(ip.source.description == "2001:db8::1")
    #expect(ip.destination.description == "fe80::2")
    #expect(ip.payload.byteCount == 40)
    let upper = try #require(try upperLayer(Self.packet))
    #expect(upper.protocolNumber == 58)
    #expect(upper.offset == 76)
    #expect(upper.fragmentIdentification == 42)
    #expect(!upper.isFragment && !upper.isRouted)
  }

  @Test func `a packet is rebuilt`() throws {
    let header = IPv6Header(try IPv6(Self.packet.rawSpan))
    var bytes = [UInt8](repeating: 0xa5, count: 80)
    var span = bytes.mutableRawSpan
    try header.write(to: &span, payloadLength: 40)
    span.store(Array(Self.packet[40...]), at: 40)
    #expect(bytes == Self.packet)
  }

  @Test func `a packet cut anywhere is refused`() {
    for count in 0..<Self.packet.count {
      let error: FormatError =
        count < 40 ? .truncated("IPv6", has: count, needs: 40) : .badLength("IPv6", 80)
      #expect(throws: error, "\(count) bytes") { _ = try IPv6(Array(Self.packet[..<count]).rawSpan) }
    }
  }

  @Test(arguments: [
    (0, 0x4b, FormatError.badVersion("IPv6", 4)), (5, 41, .badLength("IPv6", 81)),
    (4, 1, .badLength("IPv6", 336)),
  ])
  func `a wrong length field is refused`(offset: Int, value: UInt8, error: FormatError) {
    var bytes = Self.packet
    bytes[offset] = value
    #expect(throws: error) { _ = try IPv6(bytes.rawSpan) }
  }

  @Test func `an extension header cut anywhere leads nowhere`() throws {
    // with so many bytes of payload, the walk cannot end; the Fragment header ends at 36
    for length in 0..<36 {
      var bytes = Self.packet
      bytes[5] = UInt8(length)
      #expect(try upperLayer(bytes) == nil, "payload length \(length)")
    }
  }

  @Test(arguments: [(41, 9), (49, 9), (57, 9)])
  func `an extension header longer than the packet leads nowhere`(offset: Int, length: UInt8) throws {
    var bytes = Self.packet
    bytes[offset] = length
    #expect(try upperLayer(bytes) == nil)
  }

  @Test func `a later fragment ends the walk, a routing header is noted`() throws {
    var later = Self.packet
    later.replaceSubrange(68..<76, with: [60, 0, 0x05, 0xa9, 0, 0, 0, 42])
    let upper = try #require(try upperLayer(later))
    #expect(upper.isFragment && upper.moreFragments && upper.fragmentOffset == 1448)
    #expect(upper.protocolNumber == 60 && upper.offset == 76)

    var routed = Self.packet
    routed[6] = 43
    #expect(try upperLayer(routed)?.isRouted == true)
  }

  @Test func `setters set`() throws {
    var bytes = Self.packet
    var span = bytes.mutableRawSpan
    var ip = try MutableIPv6(&span)
    let (source, destination) = (try #require(IPv6Address("::1")), try #require(IPv6Address("1:2::8")))
    ip.setSource(source)
    ip.setDestination(destination)
    ip.setHopLimit(1)
    ip.setTrafficClass(0xff)
    let view = try IPv6(bytes.rawSpan)
    #expect(view.source == source && view.destination == destination)
    #expect(view.hopLimit == 1 && view.trafficClass == 0xff && view.flowLabel == 0x12345)
  }

  @Test(arguments: [65536, 81, -1])
  func `what no header can say is not written`(payload: Int) {
    let header = IPv6Header(
      source: .init(high: 0, low: 1), destination: .init(high: 0, low: 2), nextHeader: 6)
    var bytes = [UInt8](repeating: 0xa5, count: 120)
    #expect(throws: FormatError.self) {
      var span = bytes.mutableRawSpan
      try header.write(to: &span, payloadLength: payload)
    }
    #expect(bytes.allSatisfy { $0 == 0xa5 })
  }

  /// A view cannot be looked into by `#expect`.
  func upperLayer(_ bytes: [UInt8]) throws -> IPv6.UpperLayer? { try IPv6(bytes.rawSpan).upperLayer }
}
