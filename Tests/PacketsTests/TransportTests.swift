import Packets
import TestSupport
import Testing

struct UDPTests {
  static let datagram = hex(
    """
    04 d2 00 35  // 1234 to 53
    00 0c ab cd  // length 12, checksum
    64 69 76 65  // payload
    """)

  @Test func `a datagram is taken apart`() throws {
    let udp = try UDP((Self.datagram + [1]).rawSpan)
    #expect(udp.sourcePort == 1234 && udp.destinationPort == 53)
    #expect(udp.length == 12)
    #expect(udp.checksum == 0xabcd)
    #expect(udp.payload.byteArray == [0x64, 0x69, 0x76, 0x65])
  }

  @Test func `a datagram is rebuilt`() throws {
    let header = UDPHeader(try UDP(Self.datagram.rawSpan))
    var bytes = [UInt8](repeating: 0xa5, count: 12)
    var span = bytes.mutableRawSpan
    try header.write(to: &span, payloadLength: 4)
    #expect(bytes[6..<12] == [0, 0, 0xa5, 0xa5, 0xa5, 0xa5])
    #expect(bytes[..<6] == Self.datagram[..<6])
  }

  @Test func `a datagram cut anywhere is refused`() {
    for count in 0..<12 {
      let error: FormatError = count < 8 ? .truncated("UDP", has: count, needs: 8) : .badLength("UDP", 12)
      #expect(throws: error, "\(count) bytes") { _ = try UDP(Array(Self.datagram[..<count]).rawSpan) }
    }
  }

  @Test(arguments: [0, 7, 13, 255] as [UInt8])
  func `a wrong length field is refused`(length: UInt8) {
    var bytes = Self.datagram
    bytes[5] = length
    #expect(throws: FormatError.badLength("UDP", Int(length))) { _ = try UDP(bytes.rawSpan) }
  }

  @Test func `a checksum of 0 stays, another becomes 0xffff rather than 0`() throws {
    var none = Self.datagram
    none.replaceSubrange(6..<8, with: [0, 0])
    var span = none.mutableRawSpan
    var udp = try MutableUDP(&span)
    udp.setSourcePort(5)
    #expect(none[..<8] == [0, 5, 0, 53, 0, 12, 0, 0])

    // from 1 to 2 the sum grows by 1, so a checksum of 1 would become 0
    var one = Self.datagram
    one.replaceSubrange(0..<8, with: [0, 1, 0, 53, 0, 12, 0, 1])
    var span1 = one.mutableRawSpan
    var udp1 = try MutableUDP(&span1)
    udp1.setSourcePort(2)
    #expect(one[..<8] == [0, 2, 0, 53, 0, 12, 0xff, 0xff])
  }

  @Test(arguments: [65528, 5, -1])
  func `what no header can say is not written`(payload: Int) {
    var bytes = [UInt8](repeating: 0xa5, count: 12)
    #expect(throws: FormatError.self) {
      var span = bytes.mutableRawSpan
      try UDPHeader(sourcePort: 1, destinationPort: 2).write(to: &span, payloadLength: payload)
    }
    #expect(bytes.allSatisfy { $0 == 0xa5 })
  }
}

struct TCPTests {
  static let segment = hex(
    """
    c0 00 00 50  // 49152 to 80
    01 02 03 04  // sequence number
    0a 0b 0c 0d  // acknowledgement number
    60 58 20 00  // 6 words; ECE ACK PSH; window 8192
    ab cd 00 07  // checksum, urgent pointer
    02 04 05 b4  // option: MSS 1460
    68 69        // payload
    """)

  @Test func `a segment is taken apart`() throws {
    let tcp = try TCP(Self.segment.rawSpan)
    #expect(tcp.sourcePort == 49152 && tcp.destinationPort == 80)
    #expect(tcp.sequenceNumber == 0x0102_0304 && tcp.acknowledgementNumber == 0x0a0b_0c0d)
    #expect(tcp.headerLength == 24)
    #expect(tcp.flags == [.ece, .ack, .psh])
    #expect(tcp.window == 8192 && tcp.checksum == 0xabcd && tcp.urgentPointer == 7)
    #expect(tcp.options.byteArray == [2, 4, 5, 0xb4])
    #expect(tcp.payload.byteArray == [0x68, 0x69])
  }

  @Test func `a segment is rebuilt`() throws {
    let header = TCPHeader(try TCP(Self.segment.rawSpan))
    var bytes = [UInt8](repeating: 0xa5, count: 26)
    var span = bytes.mutableRawSpan
    try header.write(to: &span)
    #expect(bytes[16..<18] == [0, 0])
    bytes.replaceSubrange(16..<18, with: [0xab, 0xcd])
    bytes.replaceSubrange(24..<26, with: [0x68, 0x69])
    #expect(bytes == Self.segment)
  }

  @Test func `a segment cut anywhere in its header is refused`() {
    for count in 0..<24 {
      let error: FormatError =
        count < 20 ? .truncated("TCP", has: count, needs: 20) : .badLength("TCP header", 24)
      #expect(throws: error, "\(count) bytes") { _ = try TCP(Array(Self.segment[..<count]).rawSpan) }
    }
  }

  @Test(arguments: [0x00, 0x40, 0x70, 0xf0] as [UInt8])
  func `a wrong header length is refused`(offset: UInt8) {
    var bytes = Self.segment
    bytes[12] = offset
    #expect(throws: FormatError.badLength("TCP header", Int(offset >> 4) * 4)) { _ = try TCP(bytes.rawSpan) }
  }

  @Test(arguments: [3, 44]) func `what no header can say is not written`(options: Int) {
    var header = TCPHeader(sourcePort: 1, destinationPort: 2)
    header.options = [UInt8](repeating: 1, count: options)
    var bytes = [UInt8](repeating: 0xa5, count: 100)
    #expect(throws: FormatError.badLength("TCP header", 20 + options)) {
      var span = bytes.mutableRawSpan
      try header.write(to: &span)
    }
    #expect(bytes.allSatisfy { $0 == 0xa5 })
  }
}

struct ICMPTests {
  static let message = hex(
    """
    08 00 ab cd  // echo request, checksum
    00 07 00 01  // identifier 7, sequence number 1
    70 69 6e 67  // data
    """)

  @Test func `a message is taken apart`() throws {
    let icmp = try ICMP(Self.message.rawSpan)
    #expect(icmp.type == 8 && icmp.code == 0)
    #expect(icmp.checksum == 0xabcd)
    #expect(icmp.identifier == 7 && icmp.sequenceNumber == 1)
    #expect(icmp.payload.byteArray == [0x70, 0x69, 0x6e, 0x67])
  }

  @Test func `a message is rebuilt`() throws {
    let header = ICMPHeader(try ICMP(Self.message.rawSpan))
    var bytes = [UInt8](repeating: 0xa5, count: 9)
    var span = bytes.mutableRawSpan
    try header.write(to: &span)
    #expect(bytes == [8, 0, 0, 0, 0, 7, 0, 1, 0xa5])
  }

  @Test func `a message cut anywhere in its header is refused`() {
    for count in 0..<8 {
      #expect(throws: FormatError.truncated("ICMP", has: count, needs: 8)) {
        _ = try ICMP(Array(Self.message[..<count]).rawSpan)
      }
    }
  }
}
