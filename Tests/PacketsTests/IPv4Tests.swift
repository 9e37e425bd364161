import Packets
import TestSupport
import Testing

struct IPv4Tests {
  static let packet = hex(
    """
    46 b8 00 20            // version 4, 6 words; DSCP 46; total length 32
    12 34 40 00            // identification; DF, offset 0
    3f 11 a7 a0            // TTL 63, UDP, checksum
    c0 00 02 01            // 192.0.2.1
    c6 33 64 07            // 198.51.100.7
    94 04 00 00            // option: router alert (RFC 2113)
    04 d2 00 35 00 08 00 00  // UDP without a checksum
    """)

  @Test func `a packet is taken apart`() throws {
    let ip = try IPv4((Self.packet + [1, 2, 3]).rawSpan)
    #expect(ip.headerLength == 24)
    #expect(ip.typeOfService == 0xb8)
    #expect(ip.totalLength == 32)
    #expect(ip.identification == 0x1234)
    #expect(ip.dontFragment && !ip.moreFragments && !ip.isFragment)
    #expect(ip.fragmentOffset == 0)
    #expect(ip.timeToLive == 63)
    #expect(ip.protocolNumber == 17)
    #expect(ip.headerChecksum == 0xa7a0)
    #expect(ip.isHeaderChecksumValid == true)
    #expect(ip.source == IPv4Address("192.0.2.1"))
    #expect(ip.destination == IPv4Address("198.51.100.7"))
    #expect(ip.options.byteArray == [0x94, 4, 0, 0])
    #expect(ip.payload.byteArray == [4, 0xd2, 0, 53, 0, 8, 0, 0])
  }

  @Test func `a packet is rebuilt`() throws {
    let header = IPv4Header(try IPv4(Self.packet.rawSpan))
    var bytes = [UInt8](repeating: 0xa5, count: 32)
    var span = bytes.mutableRawSpan
    try header.write(to: &span, payloadLength: 8)
    span.store([4, 0xd2, 0, 53, 0, 8, 0, 0] as [UInt8], at: 24)
    #expect(bytes == Self.packet)
  }

  @Test func `a fragment keeps its place`() throws {
    var header = IPv4Header(source: .any, destination: .any, protocolNumber: 17)
    (header.fragmentOffset, header.moreFragments) = (65528, true)
    var bytes = [UInt8](repeating: 0xa5, count: 20)
    var span = bytes.mutableRawSpan
    try header.write(to: &span, payloadLength: 0)
    let ip = try IPv4(bytes.rawSpan)
    #expect(ip.fragmentOffset == 65528 && ip.moreFragments && ip.isFragment && !ip.dontFragment)
    #expect(IPv4Header(ip) == header)
  }

  @Test func `a packet cut anywhere is refused`() {
    for count in 0..<Self.packet.count {
      let error: FormatError =
        count < 20 ? .truncated("IPv4", has: count, needs: 20) : .badLength("IPv4", 32)
      #expect(throws: error, "\(count) bytes") { _ = try IPv4(Array(Self.packet[..<count]).rawSpan) }
    }
  }

  @Test(arguments: [
    (0, 0x56, FormatError.badVersion("IPv4", 5)), (0, 0x66, .badVersion("IPv4", 6)),
    (0, 0x44, .badLength("IPv4 header", 16)), (0, 0x40, .badLength("IPv4 header", 0)),
    (0, 0x4f, .badLength("IPv4", 32)), (3, 23, .badLength("IPv4", 23)), (3, 33, .badLength("IPv4", 33)),
    (2, 1, .badLength("IPv4", 288)),
  ])
  func `a wrong length field is refused`(offset: Int, value: UInt8, error: FormatError) {
    var bytes = Self.packet
    bytes[offset] = value
    #expect(throws: error) { _ = try IPv4(bytes.rawSpan) }
  }

  @Test func `setters correct the header checksum`() throws {
    var bytes = Self.packet
    var span = bytes.mutableRawSpan
    var ip = try MutableIPv4(&span)
    ip.setSource(IPv4Address(rawValue: 0x0a00_0001))
    ip.setDestination(IPv4Address(rawValue: 0xffff_ffff))
    ip.setTimeToLive(1)
    ip.setIdentification(0)
    ip.setTypeOfService(3)
    let view = try IPv4(bytes.rawSpan)
    #expect(view.isHeaderChecksumValid == true)
    #expect(view.source.description == "10.0.0.1" && view.destination.description == "255.255.255.255")
    #expect(view.timeToLive == 1 && view.protocolNumber == 17)
    #expect(view.identification == 0)
    #expect(view.typeOfService == 3 && view.headerLength == 24)
  }

  @Test(arguments: [
    (41, 0, 0), (3, 0, 0), (0, 65516, 0), (0, -1, 0), (0, 0, 4), (0, 0, 65536), (0, 100, 0),
  ])
  func `what no header can say is not written`(options: Int, payload: Int, offset: Int) {
    var header = IPv4Header(source: .any, destination: .any, protocolNumber: 1)
    header.options = [UInt8](repeating: 0, count: options)
    header.fragmentOffset = offset
    var bytes = [UInt8](repeating: 0xa5, count: 119)
    #expect(throws: FormatError.self) {
      var span = bytes.mutableRawSpan
      try header.write(to: &span, payloadLength: payload)
    }
    #expect(bytes.allSatisfy { $0 == 0xa5 })
  }
}
