import Divert
import Packets
import Testing

/// What a program changes: routing is done afresh, by the packet as it is written.
extension Scenario {
  static let rewriting: [Scenario] = [
    Scenario("what came for this host goes to another, and the answers come back") { host in
      for (number, near, third, pinger) in [
        (1, "192.0.2.2", "198.51.100.2", "192.0.2.1"), (2, near, far, "2001:db8:1::1"),
      ] as [(UInt16, String, String, String)] {
        try host.ipfw("add \(number)00 divert \(number)000 ip from any to \(near) in recv em0")
        try host.ipfw("add \(number)50 divert \(number)001 ip from \(third) to \(pinger) out xmit em0")
        let there = try host.program(on: number * 1000) { isEcho($0) ? [$0.readdressed(to: third)] : [$0] }
        let back = try host.program(on: number * 1000 + 1) {
          isEcho($0) ? [$0.readdressed(from: near)] : [$0]
        }
        #expect(try host.ping(near, count: 3, programs: [there, back]) == 3)
        #expect(there.seen.count { isEcho($0) } == 3 && back.seen.count { isEcho($0) } == 3)
      }
    },
    Scenario("what was for another comes to this host, whose answers look like the other's") { host in
      for (number, near, third, pinger) in [
        (1, "192.0.2.2", "203.0.113.7", "192.0.2.1"), (2, near, "2001:db8:9::7", "2001:db8:1::1"),
      ] as [(UInt16, String, String, String)] {
        try host.ipfw("add \(number)00 divert \(number)000 ip from any to \(third) in")
        try host.ipfw("add \(number)50 divert \(number)001 ip from \(near) to \(pinger) out")
        let there = try host.program(on: number * 1000) { [$0.readdressed(to: near)] }
        let back = try host.program(on: number * 1000 + 1) {
          isEcho($0) ? [$0.readdressed(from: third)] : [$0]
        }
        #expect(try host.ping(third, count: 3, programs: [there, back]) == 3)
        #expect(there.seen.count == 3 && back.seen.count { isEcho($0) } == 3)
      }
    },
    Scenario("what was to leave by one interface leaves by another") { host in
      try host.ipfw("add 100 divert 2000 icmp from 192.0.2.1 to 198.51.100.2 out xmit em1")
      try host.ipfw("add 200 count icmp from 192.0.2.2 to 192.0.2.1 out xmit em0 icmptypes 8")
      try host.ipfw("add 300 count icmp from 192.0.2.2 to any out xmit em1")
      let program = try host.program(on: 2000) { [$0.readdressed(from: "192.0.2.2", to: "192.0.2.1")] }
      #expect(try host.ping("198.51.100.2", count: 3, programs: [program]) == 0)
      #expect(program.seen.count == 3)
      #expect(try host.packets(countedBy: 200) == 3)
      #expect(try host.packets(countedBy: 300) == 0)
    },
  ]
}

private func isEcho(_ packet: Packet) -> Bool {
  packet.bytes[0] >> 4 == 6 ? isPing(packet) : packet.bytes[9] == 1 && [0, 8].contains(packet.bytes[20])
}
