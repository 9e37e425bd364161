import Divert
import Glibc
import Packets
import Testing

/// divert(4): fragments, and what is larger than an interface takes.
extension Scenario {
  /// A ping of 20 000 bytes is an IP packet of 20 028, in 14 fragments.
  private static let size = 20_000
  private static let fragmentCount = 14

  static let fragments: [Scenario] = [
    Scenario("diverted fragments are reassembled, and what is written back whole is cut again") { host in
      try host.ipfw("add 100 divert 2000 icmp from any to any")
      let program = try host.program(on: 2000)
      #expect(try host.ping("192.0.2.2", count: 3, size: size, programs: [program]) == 3)
      #expect(program.seen.map(\.bytes.count) == Array(repeating: 20 + 8 + size, count: 6))
      #expect(program.seen.count { $0.address.direction == .outgoing } == 3)
      for packet in program.seen {
        #expect(packet.bytes[6] & 0x20 == 0 && packet.bytes[7] == 0, "no fragment any more")
        #expect(onesComplementSum(packet.bytes[20...]) == 0xffff)
        if packet.address.direction == .incoming { #expect(onesComplementSum(packet.bytes[..<20]) == 0xffff) }
      }
    },
    Scenario("the diversion of any one fragment diverts the whole packet") { host in
      try host.ipfw("add 100 divert 2000 icmp from any to any in icmptypes 8")
      let eats = try host.program(on: 2000) { _ in [] }
      #expect(try host.ping("192.0.2.2", count: 2, size: size, programs: [eats]) == 0)
      #expect(eats.seen.map(\.bytes.count) == [20 + 8 + size, 20 + 8 + size])
      #expect(try host.packets(countedBy: 100) == 2, "the first fragment alone has a type")
      try host.ipfw("add 90 divert 2001 icmp from any to any in frag")
      try host.ipfw("delete 100")
      let passes = try host.program(on: 2001)
      #expect(try host.ping("192.0.2.2", count: 2, size: size, programs: [passes]) == 2)
      #expect(passes.seen.map(\.bytes.count) == [20 + 8 + size, 20 + 8 + size])
      #expect(try host.packets(countedBy: 90) == UInt64(2 * (fragmentCount - 1)))
    },
    Scenario("fragments diverted to two ports arrive at one of them, whole") { host in
      try host.ipfw("add 100 divert 2001 icmp from any to any in frag")
      try host.ipfw("add 200 divert 2002 icmp from any to any in icmptypes 8")
      let programs = [try host.program(on: 2001), try host.program(on: 2002)]
      #expect(try host.ping("192.0.2.2", count: 3, size: size, programs: programs) == 3)
      let seen = programs.flatMap(\.seen).filter { $0.address.passes == 0 }
      #expect(seen.map(\.bytes.count) == Array(repeating: 20 + 8 + size, count: 3))
    },
    Scenario("fragments that tee copies are copied as they are") { host in
      try host.ipfw("add 100 tee 2000 icmp from any to any in")
      let program = try host.program(on: 2000) { _ in [] }
      #expect(try host.ping("192.0.2.2", count: 1, size: size, programs: [program]) == 1)
      while try program.step() > 0 {}
      #expect(program.seen.count == fragmentCount)
      #expect(program.seen.allSatisfy { $0.isTee && $0.bytes.count <= 1500 })
    },
    Scenario("a socket that wants fragments as they are gets them so, and each goes on by itself") { host in
      try host.ipfw("add 100 divert 2000 icmp from any to any in")
      let program = try host.program(on: 2000, options: .fragments)
      #expect(try host.ping("192.0.2.2", count: 2, size: size, programs: [program]) == 2)
      #expect(program.seen.count == 2 * fragmentCount)
      #expect(program.seen.allSatisfy { $0.bytes.count <= 1500 })
    },
    Scenario("fragments that no rule diverts go on as they came") { host in
      try host.ipfw("add 100 divert 2000 icmp from any to any in icmptypes 13")
      try host.ipfw("add 200 count icmp from any to any in frag")
      let program = try host.program(on: 2000)
      #expect(try host.ping("192.0.2.2", count: 2, size: size, programs: [program]) == 2)
      #expect(program.seen.isEmpty)
      #expect(try host.packets(countedBy: 200) == UInt64(2 * (fragmentCount - 1)))
    },
    Scenario("a forwarded datagram is diverted whole in both passes") { host in
      try host.ipfw("add 100 divert 2001 icmp from any to any in icmptypes 8")
      try host.ipfw("add 200 divert 2002 icmp from any to any out icmptypes 8")
      let programs = [try host.program(on: 2001), try host.program(on: 2002)]
      #expect(try host.ping("198.51.100.2", count: 3, size: size, programs: programs) == 3)
      for program in programs {
        #expect(program.seen.map(\.bytes.count) == Array(repeating: 20 + 8 + size, count: 3))
      }
    },
    Scenario("what this host sends is judged before it is cut") { host in
      try host.ipfw("add 100 deny icmp from any to any out icmptypes 0")
      #expect(try host.ping("192.0.2.2", count: 1, size: size) == 0)
      #expect(try host.packets(countedBy: 100) == 1)
      try host.ipfw("delete 100")
      try host.ipfw("add 100 count icmp from any to any out icmptypes 0")
      try host.ipfw("add 200 count icmp from any to any out frag")
      #expect(try host.ping("192.0.2.2", count: 1, size: size) == 1)
      #expect(try host.packets(countedBy: 100) == 1)
      #expect(try host.packets(countedBy: 200) == 0)
    },
    Scenario("overlapping fragments: what came before wins over IPv4") { host in
      try host.ipfw("add 100 divert 2000 udp from any to any in")
      let program = try host.program(on: 2000) { _ in [] }
      let socket = try host.open(port: 2001)
      let address = DivertAddress.incoming(at: try #require(IPv4Address("192.0.2.2")))
      let first = [UInt8](repeating: 1, count: 24)
      let second = [UInt8](repeating: 2, count: 24)
      let last = [UInt8](repeating: 3, count: 11)
      for (data, offset, more) in [(first, 0, true), (second, 16, true), (last, 40, false)] {
        try socket.writer.reinject(fragment(of: data, at: offset, more: more), as: address)
      }
      try program.step(wait: .seconds(5))
      #expect(program.seen.map { Array($0.bytes[20...]) } == [first + second.dropFirst(8) + last])
      socket.close()
    },
    Scenario("larger than the way out takes: cut, or EMSGSIZE where it is not to be") { host in
      let socket = try host.open(port: 2000)
      try host.ipfw("add 100 count udp from any to any out")
      var packet = fragment(of: [UInt8](repeating: 7, count: 4000), at: 0, more: false)
      packet.replaceSubrange(16..<20, with: [198, 51, 100, 2])
      try socket.writer.reinject(packet, as: .outgoing())
      packet[6] = 0x40
      let error = #expect(throws: SystemError.self) { try socket.writer.reinject(packet, as: .outgoing()) }
      #expect(error?.code == EMSGSIZE)
      packet = Array(packet.prefix(1028))
      (packet[2], packet[3]) = (0x04, 0x04)
      try socket.writer.reinject(packet, as: .outgoing())
      #expect(socket.statistics.refusedByCode == [EMSGSIZE: 1])
      #expect(socket.statistics.reinjectedOutgoing >= 2, "what is cut on its way has been written back, too")
      socket.close()
    },
  ]
}

/// A piece of a UDP datagram from A to B, with a right header checksum.
private func fragment(of data: [UInt8], at offset: Int, more: Bool) -> [UInt8] {
  var packet = hex("45000000 abcd0000 40110000 c0000201 c0000202") + data
  (packet[2], packet[3]) = (UInt8(packet.count >> 8), UInt8(packet.count & 0xff))
  (packet[6], packet[7]) = (UInt8((offset / 8) >> 8) | (more ? 0x20 : 0), UInt8((offset / 8) & 0xff))
  setHeaderChecksum(&packet)
  return packet
}
