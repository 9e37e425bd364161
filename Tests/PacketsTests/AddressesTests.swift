import Glibc
import Packets
import TestSupport
import Testing

struct AddressesTests {
  // RFC 5952 §4 and §5; RFC 4291 §2.2
  static let addresses6 = [
    Row("2001:db8::1"), Row("2001:0DB8:0:0:0:0:0:1", "2001:db8::1"), Row("::"), Row("::1"), Row("1::"),
    Row("0:0:0:0:0:0:0:0", "::"), Row("2001:db8:0:1:1:1:1:1"), Row("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
    Row("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), Row("1:2:3:4:5:6:7:8"),
    Row("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
    Row("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"), Row("::ffff:192.0.2.1"),
    Row("::ffff:c000:201", "::ffff:192.0.2.1"),
    Row("::224.0.0.0"), Row("::e000:0", "::224.0.0.0"), Row("::0.1.0.0"), Row("::1:0", "::0.1.0.0"),
    Row("::ffff"), Row("::0.0.255.255", "::ffff"), Row("::0.0.0.2", "::2"), Row("::ffff:0.0.0.1"),
    Row("::1:192.0.2.1", "::1:c000:201"), Row("1::224.0.0.0", "1::e000:0"),
    Row("64:ff9b::192.0.2.33", "64:ff9b::c000:221"), Row("fe80::a:b"),
    Row("", nil), Row(":", nil), Row(":::", nil), Row("1", nil), Row("1:2:3:4:5:6:7", nil),
    Row("1:2:3:4:5:6:7:8:9", nil), Row("1::2::3", nil), Row("1:2:3:4::5:6:7:8", nil), Row("12345::", nil),
    Row("g::", nil), Row("+1::", nil), Row("::1.2.3", nil), Row("1.2.3.4::", nil), Row("::1.2.3.4:5", nil),
    Row("fe80::1%eth0", nil), Row(":1:2:3:4:5:6:7", nil), Row("1:2:3:4:5:6:7:", nil), Row("::é", nil),
  ]

  @Test(arguments: addresses6) func `an IPv6 address reads and prints canonically`(_ row: Row) {
    #expect(IPv6Address(row.text)?.description == row.printed, sourceLocation: row.line)
  }

  static let addresses4 = [
    Row("0.0.0.0"), Row("255.255.255.255"), Row("192.0.2.1"), Row("010.0.0.1", nil),
    Row("", nil), Row("1.2.3", nil), Row("1.2.3.4.5", nil), Row("256.0.0.0", nil), Row("1.2.3.", nil),
    Row("1.2.3.+4", nil), Row("1.2.3.0004", nil), Row(" 1.2.3.4", nil), Row("1..2.3", nil),
  ]

  @Test(arguments: addresses4) func `an IPv4 address reads and prints`(_ row: Row) {
    #expect(IPv4Address(row.text)?.description == row.printed, sourceLocation: row.line)
  }

  @Test func `every address reads back`() {
    var random = SeededGenerator()
    for round in 0..<2000 {
      // few bits, so that runs of zeros are frequent
      let address = IPv6Address(
        high: random.next() & random.next() & random.next() & random.next(),
        low: random.next() & random.next() & random.next() & random.next())
      let sparse = IPv6Address(groups: address.groups.map { $0.nonzeroBitCount < 2 ? 0 : $0 })
      for address in [address, sparse] {
        #expect(IPv6Address(address.description) == address, "seed \(testSeed), round \(round), \(address)")
      }
    }
  }

  @Test func `addresses print as the C library prints them`() {
    var random = SeededGenerator()
    for round in 0..<2000 {
      let groups = (0..<8).map { _ in
        UInt16.random(in: 0...3, using: &random) > 1 ? UInt16.random(in: 0 ... .max, using: &random) : 0
      }
      // Half of them begin with zeros, where IPv4 addresses are embedded; some with the prefix of mapped ones.
      let zeros = Int.random(in: 0...1, using: &random) * Int.random(in: 0...8, using: &random)
      var all = Array(repeating: 0, count: zeros) + groups.dropFirst(zeros)
      if zeros == 5, Bool.random(using: &random) { all[5] = 0xffff }
      let address = IPv6Address(groups: all)
      var bytes = all.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xff)] }
      var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
      #expect(inet_ntop(AF_INET6, &bytes, &text, socklen_t(text.count)) != nil)
      let expected = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      #expect(address.description == expected, "seed \(testSeed), round \(round)")
    }
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let text: String, printed: String?, line: SourceLocation
    init(_ text: String, _ printed: String?, line: SourceLocation = #_sourceLocation) {
      (self.text, self.printed, self.line) = (text, printed, line)
    }
    init(_ text: String, line: SourceLocation = #_sourceLocation) { self.init(text, text, line: line) }
    var testDescription: String { text }
  }
}
