import Divert
import Glibc
import Packets
import Testing

/// divert(4): fragments of IPv6, and what is larger than an interface takes.
extension Scenario {
  /// A ping of 20 000 bytes is an IPv6 packet of 20 048, in 14 fragments.
  private static let size = 20_000
  private static let length = 40 + 8 + size
  private static let fragmentCount = 14

  static let version6Fragments: [Scenario] = [
    Scenario("IPv6: diverted fragments are reassembled, and what is written back whole is cut again") {
      host in
      try host.ipfw("add 100 divert 2000 ip6 from any to any")
      let program = try host.program(on: 2000)
      #expect(try host.ping(near, count: 3, size: size, programs: [program]) == 3)
      let seen = pings(program.seen)
      #expect(seen.map(\.bytes.count) == Array(repeating: length, count: 6))
      #expect(seen.count { $0.address.direction == .outgoing } == 3)
      #expect(seen.allSatisfy { Checksum.isTransportValid(in: $0.bytes.rawSpan) == true })
    },
    Scenario("IPv6: a forwarded datagram is diverted whole in both passes") { host in
      try host.ipfw("add 100 divert 2001 ip6 from any to any in")
      try host.ipfw("add 200 divert 2002 ip6 from any to any out")
      let programs = [try host.program(on: 2001), try host.program(on: 2002)]
      #expect(try host.ping(far, count: 3, size: size, programs: programs) == 3)
      for program in programs {
        #expect(pings(program.seen).map(\.bytes.count) == Array(repeating: length, count: 6))
      }
    },
    Scenario("IPv6: the diversion of any one fragment diverts the whole, a copy is of each") { host in
      try host.ipfw("add 100 divert 2001 ip6 from any to any in frag")
      let passes = try host.program(on: 2001)
      #expect(try host.ping(near, count: 2, size: size, programs: [passes]) == 2)
      #expect(passes.seen.map(\.bytes.count) == [length, length])
      #expect(try host.packets(countedBy: 100) == UInt64(2 * (fragmentCount - 1)))
      try host.ipfw("delete 100")
      try host.ipfw("add 100 tee 2002 ipv6-icmp from any to \(near) in")
      let copies = try host.program(on: 2002) { _ in [] }
      #expect(try host.ping(near, count: 1, size: size, programs: [copies]) == 1)
      while try copies.step() > 0 {}
      #expect(copies.seen.count == fragmentCount)
      #expect(copies.seen.allSatisfy { $0.isTee && $0.bytes.count <= 1500 && $0.bytes[6] == 44 })
    },
    Scenario("IPv6: a socket that wants fragments as they are gets them so") { host in
      try host.ipfw("add 100 divert 2000 ipv6-icmp from any to \(near) in")
      let program = try host.program(on: 2000, options: .fragments)
      #expect(try host.ping(near, count: 2, size: size, programs: [program]) == 2)
      #expect(program.seen.count == 2 * fragmentCount)
      #expect(program.seen.allSatisfy { $0.bytes.count <= 1500 && $0.bytes[6] == 44 })
    },
    Scenario("IPv6: overlapping fragments are the end of their datagram") { host in
      try host.ipfw("add 100 divert 2000 udp from any to any in")
      let program = try host.program(on: 2000) { _ in [] }
      let socket = try host.open(port: 2001)
      let writer = socket.writer
      func write(_ identification: UInt8, _ pieces: [(offset: Int, count: Int, more: Bool)]) throws {
        for piece in pieces {
          let data = [UInt8](repeating: identification, count: piece.count)
          try writer.reinject(
            version6Fragment(of: data, at: piece.offset, more: piece.more, identification),
            as: .incoming(on: "em0"))
        }
      }
      // RFC 5722 §4; the last closes the hole that is none any more.
      try write(1, [(0, 24, true), (16, 24, true), (40, 11, false)])
      // An exact duplicate may be ignored (RFC 8200 §4.5).
      try write(2, [(0, 24, true), (0, 24, true), (24, 11, false)])
      // A packet that is a fragment only by its header is a datagram by itself, whatever waits (RFC 6946 §4).
      try write(3, [(0, 24, true)])
      try write(3, [(0, 16, false)])
      while program.seen.count < 2, try program.step(wait: .seconds(5)) > 0 {}
      // On the kernel, what does not wait overtakes what did.
      let seen = program.seen.map(\.bytes).sorted { $0.count < $1.count }
      #expect(seen.map(\.count) == [40 + 8 + 16, 40 + 35])
      #expect(seen.map { $0.suffix(11) } == [3, 2].map { ArraySlice(repeating: $0, count: 11) })
      socket.close()
    },
    Scenario("IPv6: what a program writes is cut to its way out's size, and the answer to it read whole") {
      host in
      try host.ipfw("add 100 divert 2000 ipv6-icmp from \(far) to 2001:db8:1::1 in")
      let program = try host.program(on: 2000)
      let socket = try host.open(port: 2001)
      let data = [UInt8](repeating: 7, count: 4000)
      try socket.writer.reinject(
        Sample.packet(58, "2001:db8:1::1", far, hex("80000000 00010001") + data), as: .outgoing())
      try program.step(wait: .seconds(5))
      #expect(program.seen.map { $0.bytes.suffix(4000) } == [data[...]])
      #expect(program.seen.map { $0.bytes[40] } == [129])
      socket.close()
    },
    Scenario("the longest datagrams there are: a program that passes them hinders nobody") { host in
      try host.ipfw("add 100 divert 2000 ip from any to any")
      let program = try host.program(on: 2000)
      for (address, size) in [
        ("192.0.2.2", 65_507), (near, 65_535 - 48), ("192.0.2.2", 65_521 - 28), (near, 65_521 - 48),
      ] {
        #expect(try host.ping(address, count: 2, size: size, programs: [program]) == 2, "\(address) \(size)")
      }
      #expect(program.seen.count { $0.bytes.count == 65_521 } == 8)
    },
  ]
}

/// A piece of a UDP datagram from A to B.
private func version6Fragment(of data: [UInt8], at offset: Int, more: Bool, _ identification: UInt8) throws
  -> [UInt8]
{
  let place = UInt16(offset) | (more ? 1 : 0)
  let header = [17, 0, UInt8(place >> 8), UInt8(place & 0xff), 0, 0, 0, identification]
  var packet = try Sample.packet(44, "2001:db8:1::1", near, header + data)
  packet[7] = 64
  return packet
}
