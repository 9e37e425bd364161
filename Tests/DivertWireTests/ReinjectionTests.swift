import DivertWire
import Glibc
import TestSupport
import Testing

struct ReinjectionTests {
  static let ipv4 = hex("4500001c 00010000 4001 f6dc c0000201 c0000202 0800 f7fd 0001 0001")
  static let ipv6 = hex(
    "60000000 0004 3a40 20010db8000000000000000000000001 20010db8000000000000000000000002 80007b7b")

  static let refusals = [
    Case("IPv4", ipv4, nil, nil),
    Case("IPv6", ipv6, nil, nil),
    Case("nothing", [], EINVAL, EINVAL),
    Case("19 bytes", Array(ipv4.prefix(19)), EINVAL, EINVAL),
    Case("20 of 28 bytes", Array(ipv4.prefix(20)), EINVAL, nil),
    Case("27 of 28 bytes", Array(ipv4.prefix(27)), EINVAL, nil),
    Case("bytes behind the packet", ipv4 + [0, 0], nil, nil),
    Case("43 of 44 bytes of IPv6", Array(ipv6.prefix(43)), EINVAL, nil),
    Case("version 5", [0x55] + ipv4.dropFirst(), EAFNOSUPPORT, EAFNOSUPPORT),
    Case("version 0", [0x05] + ipv4.dropFirst(), EAFNOSUPPORT, EAFNOSUPPORT),
    Case("header length 0", [0x40] + ipv4.dropFirst(), nil, nil),
    Case("the longest", ipv4 + [UInt8](repeating: 0, count: 65_535 - 28), nil, nil),
    Case("longer", ipv4 + [UInt8](repeating: 0, count: 65_536 - 28), EMSGSIZE, EMSGSIZE),
  ]

  @Test(arguments: refusals) func `what is refused at once`(_ row: Case) {
    #expect(
      Reinjection.refusal(of: row.packet.rawSpan, outgoing: true) == row.outgoing, sourceLocation: row.line)
    #expect(
      Reinjection.refusal(of: row.packet.rawSpan, outgoing: false) == row.incoming, sourceLocation: row.line)
  }

  @Test func `a link's padding is no part of the packet`() {
    let padding = [UInt8](repeating: 0, count: 18)
    #expect(Reinjection.length(of: (Self.ipv4 + padding).rawSpan) == 28)
    #expect(Reinjection.length(of: (Self.ipv6 + padding).rawSpan) == 44)
    #expect(Reinjection.length(of: Self.ipv4.rawSpan) == 28)
    for length in 0...28 {
      #expect(Reinjection.length(of: Self.ipv4.rawSpan.extracting(first: length)) == length)
    }
    var short = Self.ipv4
    short[3] = 19  // a length that makes no sense hides nothing
    #expect(Reinjection.length(of: short.rawSpan) == 28)
  }

  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let packet: [UInt8]
    let outgoing: CInt?
    let incoming: CInt?
    let line: SourceLocation

    init(
      _ name: String, _ packet: [UInt8], _ outgoing: CInt?, _ incoming: CInt?,
      line: SourceLocation = #_sourceLocation
    ) {
      (testDescription, self.packet, self.line) = (name, packet, line)
      (self.outgoing, self.incoming) = (outgoing, incoming)
    }
  }
}
