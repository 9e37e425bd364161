import Divert
import Glibc
import Packets
import Testing

/// Sentences of divert(4) that no other scenario shows; docs/conformance.md says which is where.
extension Scenario {
  static let manualPage: [Scenario] = [
    Scenario("what is read tells the rule, the pass and the interface that received it") { host in
      try host.ipfw("add 100 divert 2000 icmp from any to any in icmptypes 8")
      try host.ipfw("add 200 divert 2000 icmp from any to any out icmptypes 8")
      try host.ipfw("add 300 divert 2000 icmp from any to any out icmptypes 0")
      let program = try host.program(on: 2000)
      #expect(try host.ping("198.51.100.2", count: 1, programs: [program]) == 1)
      #expect(try host.ping("192.0.2.2", count: 1, programs: [program]) == 1)
      let seen = program.seen
      #expect(seen.map(\.address.tag) == [100, 200, 300, 100, 300])
      #expect(seen.map(\.address.direction) == [.incoming, .outgoing, .outgoing, .incoming, .outgoing])
      let interfaces = seen.map { host.name(of: $0.address.interface) }
      // A forwarded packet's is where it came in; that of an answer from C is the other one. This host's own answer has
      // none: what is told is where it is about to leave.
      #expect(interfaces == ["em0", "em0", "em1", "em0", "em0"])
      #expect(seen.map(\.address.wasReceived) == [true, true, true, true, false])
    },
    Scenario("what is written without having been read leaves as it was written, but for its header checksum")
    { host in
      try host.ipfw("add 100 tee 2001 udp from any to any out")
      let observer = try host.program(on: 2001) { _ in [] }
      let socket = try host.open(port: 2000)
      // Identification 0, a service type, time to live 7, a reserved flag, wrong checksums in both headers.
      var packet = hex("45b80020 00008000 0711beef c0000201 c6336402 04d20007 000cdead 01020304")
      try socket.writer.reinject(packet, as: .outgoing())
      try observer.step(wait: .seconds(5))
      let sent = try #require(observer.seen.first).bytes
      #expect(onesComplementSum(sent[..<20]) == 0xffff)
      (packet[10], packet[11]) = (sent[10], sent[11])
      #expect(sent == packet)
      socket.close()
    },
    Scenario("a source of 0.0.0.0 becomes the address of the interface it leaves by") { host in
      try host.ipfw("add 100 tee 2001 udp from any to any out")
      let observer = try host.program(on: 2001) { _ in [] }
      let socket = try host.open(port: 2000)
      let packet = hex("45000020 12340000 40110000 00000000 c6336402 04d20007 000c0000 01020304")
      try socket.writer.reinject(packet, as: .outgoing())
      try observer.step(wait: .seconds(5))
      let sent = try #require(observer.seen.first).bytes
      #expect(Array(sent[12..<16]) == [198, 51, 100, 1])
      #expect(onesComplementSum(sent[..<20]) == 0xffff)
      socket.close()
    },
    Scenario("where a tag leads: behind all rules of its number, to the next there is") { host in
      for number in [100, 200, 300] { try host.ipfw("add \(number) count udp from any to any in") }
      try host.ipfw("add 300 count udp from any to any in")
      let socket = try host.open(port: 2000)
      let packet = udpToB()
      // by tag: which rules count the packet; 0 is no tag: all of them
      let cases: [(UInt16, [UInt16])] = [
        (0, [100, 200, 300, 300]), (1, [100, 200, 300, 300]), (99, [100, 200, 300, 300]),
        (100, [200, 300, 300]), (150, [200, 300, 300]), (200, [300, 300]), (299, [300, 300]), (300, []),
        (65534, []), (65535, []),
      ]
      for (tag, rules) in cases {
        try host.ipfw("zero")
        try socket.writer.reinject(packet, as: .incoming(on: "em0", tag: tag))
        for rule: UInt16 in [100, 200, 300] {
          #expect(
            try host.packets(countedBy: rule) == UInt64(rules.count { $0 == rule }),
            "tag \(tag), rule \(rule)")
        }
        #expect(try host.packets(countedBy: 65535) >= 1, "tag \(tag)")
      }
      socket.close()
    },
    Scenario("a disabled rule behind the tag is passed over, a new one is met") { host in
      try host.ipfw("add 100 set 1 count udp from any to any in")
      try host.ipfw("add 200 count udp from any to any in")
      let socket = try host.open(port: 2000)
      try host.ipfw("set disable 1")
      try socket.writer.reinject(udpToB(), as: .incoming(on: "em0", tag: 50))
      #expect(try host.packets(countedBy: 100) == 0)
      try host.ipfw("set enable 1")
      try host.ipfw("add 60 count udp from any to any in")
      try socket.writer.reinject(udpToB(), as: .incoming(on: "em0", tag: 50))
      #expect(try host.packets(countedBy: 60) == 1)
      #expect(try host.packets(countedBy: 100) == 1)
      #expect(try host.packets(countedBy: 200) == 2)
      socket.close()
    },
    Scenario("diverted, diverted-loopback and diverted-output know what was written back, in that pass only")
    { host in
      try host.ipfw("add 100 divert 2000 icmp from any to any in icmptypes 8")
      try host.ipfw("add 200 count icmp from any to any diverted")
      try host.ipfw("add 300 count icmp from any to any diverted-loopback")
      try host.ipfw("add 400 count icmp from any to any diverted-output")
      let program = try host.program(on: 2000)
      #expect(try host.ping("198.51.100.2", count: 3, programs: [program]) == 3)
      #expect(try host.packets(countedBy: 200) == 3, "not once more on the way out")
      #expect(try host.packets(countedBy: 300) == 3)
      #expect(try host.packets(countedBy: 400) == 0)
      try host.ipfw("add 150 divert 2001 icmp from any to any out icmptypes 8")
      let second = try host.program(on: 2001)
      #expect(try host.ping("198.51.100.2", count: 2, programs: [program, second]) == 2)
      #expect(try host.packets(countedBy: 300) == 5)
      #expect(try host.packets(countedBy: 400) == 2)
    },
    Scenario("a copy that tee made, written back, is a second packet") { host in
      try host.ipfw("add 100 tee 2000 icmp from any to any in icmptypes 8")
      try host.ipfw("add 100 count icmp from any to any in icmptypes 8")
      try host.ipfw("add 200 count icmp from any to any in icmptypes 8")
      let program = try host.program(on: 2000)
      #expect(try host.ping("192.0.2.2", count: 1) == 1)
      #expect(try host.packets(countedBy: 100) == 2, "the original meets the next rule of the same number")
      #expect(try host.packets(countedBy: 200) == 1)
      try program.step(wait: .seconds(5))
      #expect(try host.packets(countedBy: 100) == 2, "the copy restarts behind the number")
      #expect(try host.packets(countedBy: 200) == 2)
    },
    Scenario(
      "written as incoming, a packet is routed like any other: to this host, on to another, or nowhere"
    ) { host in
      try host.ipfw("add 100 count udp from any to any out")
      let socket = try host.open(port: 2000)
      var packet = hex("4500001c 00010000 40110000 c0000201 c6336402 04d20007 00080000")
      setHeaderChecksum(&packet)
      try socket.writer.reinject(packet, as: .incoming(on: "em0"))
      #expect(try host.packets(countedBy: 100) == 1, "forwarded")
      packet.replaceSubrange(16..<20, with: [203, 0, 113, 9])
      setHeaderChecksum(&packet)
      try socket.writer.reinject(packet, as: .incoming(on: "em0"))
      #expect(try host.packets(countedBy: 100) == 1, "no route: gone, and no error")
      socket.close()
    },
    Scenario("what makes no sense as incoming is dropped in silence, and rules never see it") { host in
      try host.ipfw("add 100 count ip from 192.0.2.77 to any")
      let socket = try host.open(port: 2000)
      var good = hex("4500001c 00010000 40110000 c000024d c0000202 04d20007 00080000")
      setHeaderChecksum(&good)
      var (badChecksum, shortHeader, shortTotal, tooLong) = (good, good, good, good)
      badChecksum[10] ^= 1
      shortHeader[0] = 0x44
      setHeaderChecksum(&shortHeader)
      shortTotal[3] = 19
      setHeaderChecksum(&shortTotal)
      tooLong[3] = 29
      setHeaderChecksum(&tooLong)
      for packet in [badChecksum, shortHeader, shortTotal, tooLong] {
        try socket.writer.reinject(packet, as: .incoming(on: "em0"))
      }
      #expect(try host.packets(countedBy: 100) == 0)
      #expect(socket.statistics.droppedChecksum == 1 && socket.statistics.refused == 0)
      try socket.writer.reinject(good + [0, 0, 0], as: .incoming(on: "em0"))
      #expect(try host.packets(countedBy: 100) == 1, "bytes behind the packet's own length are cut off")
      #expect(socket.statistics.reinjectedIncoming == 5)
      socket.close()
    },
    Scenario("IP options are read and written back with the packet") { host in
      try host.ipfw("add 100 divert 2000 udp from any to any in")
      try host.ipfw("add 200 divert 2001 udp from any to any out")
      let (incoming, outgoing) = (try host.program(on: 2000), try host.program(on: 2001))
      let socket = try host.open(port: 2002)
      // Three no-operations and the end of the list (RFC 791 §3.1); the padding is the packet's, too.
      var packet = try Sample.udp("192.0.2.1", 1, "198.51.100.2", 2, [1, 2, 3])
      packet.insert(contentsOf: [1, 1, 1, 0], at: 20)
      (packet[0], packet[3]) = (0x46, UInt8(packet.count))
      setHeaderChecksum(&packet)
      try socket.writer.reinject(packet, as: .incoming(on: "em0"))
      try incoming.step(wait: .seconds(5))
      #expect(incoming.seen.map(\.bytes) == [packet])
      try outgoing.step(wait: .seconds(5))
      packet[8] -= 1
      setHeaderChecksum(&packet)
      #expect(outgoing.seen.map(\.bytes) == [packet], "forwarded, with its time to live one less")
      packet[10] ^= 0xff
      try socket.writer.reinject(packet, as: .outgoing())
      try outgoing.step(wait: .seconds(5))
      setHeaderChecksum(&packet)
      #expect(outgoing.seen.last?.bytes == packet, "its checksum covers the options")
      socket.close()
    },
    Scenario("a TCP fragment that would rewrite the flags of the first is dropped before any rule") { host in
      try host.ipfw("add 100 count tcp from 192.0.2.77 to any in")
      let socket = try host.open(port: 2000)
      for (offset, count) in [(8, 0), (16, 1)] {
        let piece = try Sample.packet(
          6, "192.0.2.77", "192.0.2.2", [UInt8](repeating: 0, count: 32), fragmentOffset: offset)
        try socket.writer.reinject(piece, as: .incoming(on: "em0"))
        #expect(try host.packets(countedBy: 100) == UInt64(count), "offset \(offset)")
      }
      socket.close()
    },
    Scenario("a packet to this host itself makes both passes on loopback") { host in
      try host.ipfw("add 100 divert 2000 udp from 192.0.2.2 to 192.0.2.2")
      let program = try host.program(on: 2000)
      let socket = try host.open(port: 2001)
      let packet = hex("4500001c 00010000 40110000 c0000202 c0000202 04d20007 00080000")
      try socket.writer.reinject(packet, as: .outgoing())
      try program.step(wait: .seconds(5))
      try program.step(wait: .seconds(5))
      #expect(program.seen.map(\.address.direction) == [.outgoing, .incoming])
      #expect(try host.packets(countedBy: 100) == 2)
      socket.close()
    },
    Scenario("IPv6 packets are diverted and written back as those of IPv4") { host in
      try host.ipfw("add 100 divert 2000 udp from 2001:db8::7 to any in")
      try host.ipfw("add 200 count udp from 2001:db8::7 to any in")
      let program = try host.program(on: 2000)
      let socket = try host.open(port: 2001)
      let packet = hex(
        "60000000 00081140 20010db8 00000000 00000000 00000007 20010db8 00000000 00000000 00000009"
          + "04d20007 00080000")
      try socket.writer.reinject(packet, as: .incoming(on: "em0"))
      try program.step(wait: .seconds(5))
      #expect(program.seen.map(\.bytes) == [packet])
      #expect(program.seen.first?.address.tag == 100)
      #expect(try host.packets(countedBy: 200) == 1)
      socket.close()
    },
  ]
}

/// A UDP datagram from A to B with a right header checksum.
private func udpToB() -> [UInt8] {
  var packet = hex("4500001c 00010000 40110000 c0000201 c0000202 04d20007 00080000")
  setHeaderChecksum(&packet)
  return packet
}

package func setHeaderChecksum(_ packet: inout [UInt8]) {
  (packet[10], packet[11]) = (0, 0)
  let checksum = 0xffff - onesComplementSum(packet[..<max(20, Int(packet[0] & 15) * 4)])
  (packet[10], packet[11]) = (UInt8(checksum >> 8), UInt8(checksum & 0xff))
}
