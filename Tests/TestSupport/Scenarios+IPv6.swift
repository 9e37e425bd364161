package import Divert
import Glibc
import Packets
import Testing

/// divert(4) with IPv6. Neighbour discovery runs beside, on the kernel: programs let all pass that is no ping.
extension Scenario {
  static let version6: [Scenario] = [
    Scenario("IPv6: pings are answered while no rule diverts") { host in
      let answers = (try host.ping(near, count: 3), try host.ping(far, count: 3))
      #expect(answers == (3, 3))
    },
    Scenario("IPv6: eaten, nothing goes on; written back unchanged it does, and is seen once") { host in
      try host.ipfw("add 100 divert 2000 ipv6-icmp from any to \(near) in")
      try host.ipfw("add 200 divert 2001 ipv6-icmp from \(near) to any out")
      let incoming = try host.program(on: 2000)
      let eats = try host.program(on: 2001) { isPing($0) ? [] : [$0] }
      #expect(try host.ping(near, count: 3, programs: [incoming, eats]) == 0)
      try expectPings(incoming.seen, 3, .incoming, tag: 100, type: 128)
      try expectPings(eats.seen, 3, .outgoing, tag: 200, type: 129)
      try host.ipfw("delete 200")
      #expect(try host.ping(near, count: 3, programs: [incoming]) == 3)
      #expect(pings(incoming.seen).count == 6)
      try host.ipfw("delete 100")
      try host.ipfw("add 100 divert 2002 ipv6-icmp from any to \(near) in")
      let eatsIncoming = try host.program(on: 2002) { isPing($0) ? [] : [$0] }
      #expect(try host.ping(near, count: 2, programs: [eatsIncoming]) == 0)
      try expectPings(eatsIncoming.seen, 2, .incoming, tag: 100, type: 128)
    },
    Scenario("IPv6: in and out, forwarded through both passes, two rules in a row") { host in
      try host.ipfw("add 100 divert 2001 ip6 from any to any in")
      try host.ipfw("add 200 divert 2002 ip6 from any to any out")
      try host.ipfw("add 300 divert 2002 ip6 from any to any out")
      let (first, second) = (try host.program(on: 2001), try host.program(on: 2002))
      #expect(try host.ping(near, count: 3, programs: [first, second]) == 3)
      try expectPings(first.seen, 3, .incoming, tag: 100, type: 128)
      #expect(pings(second.seen).map(\.address.tag) == [200, 300, 200, 300, 200, 300])
      #expect(pings(second.seen).map(\.address.passes) == [0, 1, 0, 1, 0, 1])
      let before = (pings(first.seen).count, pings(second.seen).count)
      #expect(try host.ping(far, count: 3, programs: [first, second]) == 3)
      let requests = pings(first.seen).dropFirst(before.0).filter { $0.bytes[40] == 128 }
      let forwarded = pings(second.seen).dropFirst(before.1).filter {
        $0.bytes[40] == 128 && $0.address.tag == 200
      }
      #expect(requests.count == 3 && forwarded.count == 3)
      #expect(requests.map { $0.bytes[7] } == forwarded.map { $0.bytes[7] + 1 }, "hop limits")
      #expect(requests.map { $0.bytes[40...] } == forwarded.map { $0.bytes[40...] })
      #expect(forwarded.map(\.address.interface) == requests.map(\.address.interface))
    },
    Scenario("IPv6: tee copies; with tag 0 the loop is ended") { host in
      try host.ipfw("add 100 tee 2000 ipv6-icmp from any to \(near) in")
      let copies = try host.program(on: 2000) { _ in [] }
      #expect(try host.ping(near, count: 3) == 3)
      try copies.step()
      #expect(pings(copies.seen).count == 3 && copies.seen.allSatisfy(\.isTee))
      try host.ipfw("delete 100")
      try host.ipfw("add 100 divert 2001 ipv6-icmp from any to \(near) in")
      let loops = try host.program(on: 2001) { packet in
        var packet = packet
        if isPing(packet) { packet.address.tag = 0 }
        return [packet]
      }
      #expect(try host.ping(near, count: 1, programs: [loops]) == 0)
      #expect(pings(loops.seen).map(\.address.passes) == Array(0..<UInt8(DivertSocket.passLimit)))
    },
    Scenario("IPv6: a program's own packets, in and out, and those that are refused") { host in
      // On the kernel, EACCES is told at once where the neighbour is known.
      #expect(try host.ping(far, count: 1) == 1)
      let socket = try host.open(port: 2000)
      try host.ipfw("add 100 count ipv6-icmp from 2001:db8:1::1 to \(far) in")
      try host.ipfw("add 200 count ipv6-icmp from 2001:db8:1::1 to \(far) out")
      let request = try Sample.packet(58, "2001:db8:1::1", far, hex("80000000 00010001"))
      try socket.writer.reinject(request, as: .incoming(on: "em0"))
      try #expect(host.packets(countedBy: 100) == 1)
      try #expect(host.packets(countedBy: 200) == 1)
      try socket.writer.reinject(request, as: .outgoing())
      try #expect(host.packets(countedBy: 100) == 1)
      try #expect(host.packets(countedBy: 200) == 2)
      try socket.writer.reinject(request, as: .outgoing(tag: 200))
      try #expect(host.packets(countedBy: 200) == 2)

      try host.ipfw("add 150 deny ip6 from 2001:db8:1::9 to any out")
      let unreachable = try Sample.packet(58, "2001:db8:1::1", "fec0::1", hex("80000000 00010001"))
      let denied = try Sample.packet(58, "2001:db8:1::9", far, hex("80000000 00010001"))
      for (name, packet, address, code) in [
        ("cut short", Array(request.dropLast()), .outgoing(), EINVAL),
        ("39 bytes", Array(request.prefix(39)), .outgoing(), EINVAL),
        ("no such interface", request, .incoming(on: "nosuch0"), EADDRNOTAVAIL),
        ("no route", unreachable, .outgoing(), EHOSTUNREACH),
        ("denied", denied, .outgoing(), EACCES),
      ] as [(String, [UInt8], DivertAddress, CInt)] {
        let error = #expect(throws: SystemError.self, "\(name)") {
          try socket.writer.reinject(packet, as: address)
        }
        #expect(error?.code == code, "\(name)")
      }
      try socket.writer.reinject(request, as: .outgoing())
      try #expect(host.packets(countedBy: 200) == 3)
      socket.close()
    },
    Scenario("IPv6: rules look behind extension headers, and packets come back with them") { host in
      try host.ipfw("add 100 divert 2001 ipv6-icmp from 2001:db8:1::1 to \(far) in")
      try host.ipfw("add 200 divert 2002 ipv6-icmp from 2001:db8:1::1 to \(far) out")
      try host.ipfw("add 300 divert 2003 ipv6-icmp from \(far) to 2001:db8:1::1 in")
      try host.ipfw("add 400 divert 2001 udp from any to any 4444 in")
      let programs = [try host.program(on: 2001), try host.program(on: 2002), try host.program(on: 2003)]
      let socket = try host.open(port: 0)
      // RFC 8200 §4.2: options PadN; a routing header of a type that nobody knows, with no segments left (§4.4).
      let hopByHop = "00 0104 00000000", routing = "00 fd 00 00000000", options = "00 0104 00000000"
      for (headers, numbers) in [
        (["3a\(hopByHop)"], [0]), (["3a\(options)"], [60]), (["3a\(routing)"], [43]),
        // More than the hooks look behind: judged in user space.
        (Array(repeating: "3c\(options)", count: 9) + ["3a\(options)"], Array(repeating: 60, count: 10)),
        (["3c\(hopByHop)", "2b\(options)", "3c\(routing)", "3a\(options)"], [0, 60, 43, 60]),
      ] {
        let packet = try withExtensions(
          Sample.packet(58, "2001:db8:1::1", far, hex("80000000 00010001")), UInt8(numbers[0]),
          headers.flatMap(hex))
        try socket.writer.reinject(packet, as: .incoming(on: "em0"))
        for program in programs { try program.step(wait: .seconds(5)) }
        #expect(programs[0].seen.last?.bytes == packet, "\(headers)")
        var forwarded = packet
        forwarded[7] -= 1
        #expect(programs[1].seen.last?.bytes == forwarded, "\(headers)")
        #expect(programs[2].seen.last.map { $0.bytes[40] } == 129, "\(headers): answered")
      }
      #expect(programs.map(\.seen.count) == [5, 5, 5])
      let datagram = try withExtensions(
        Sample.udp("2001:db8:1::1", 1, far, 4444, [1, 2, 3]), 60, hex("11\(options)"))
      try socket.writer.reinject(datagram, as: .incoming(on: "em0"))
      try programs[0].step(wait: .seconds(5))
      #expect(programs[0].seen.last?.bytes == datagram)
      socket.close()
    },
  ]
}

package let near = "2001:db8:1::2"
package let far = "2001:db8:2::2"

/// Echo requests and replies, between IPv6 addresses.
package func pings(_ packets: [Packet]) -> [Packet] { packets.filter(isPing) }

package func isPing(_ packet: Packet) -> Bool {
  packet.bytes.count >= 48 && packet.bytes[6] == 58 && (packet.bytes[40] == 128 || packet.bytes[40] == 129)
}

private func expectPings(
  _ packets: [Packet], _ count: Int, _ direction: DivertAddress.Direction, tag: UInt16, type: UInt8,
  sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let packets = pings(packets)
  #expect(
    Set(packets.map { $0.bytes[46..<48] }).count == count, "different sequence numbers",
    sourceLocation: sourceLocation)
  #expect(packets.count == count, sourceLocation: sourceLocation)
  for packet in packets {
    #expect(packet.bytes[40] == type && !packet.isTee, sourceLocation: sourceLocation)
    #expect(
      packet.address.direction == direction && packet.address.tag == tag, sourceLocation: sourceLocation)
    #expect(Checksum.isTransportValid(in: packet.bytes.rawSpan) == true, sourceLocation: sourceLocation)
    #expect(
      packet.bytes.count == 40 + Int(packet.bytes[4]) << 8 + Int(packet.bytes[5]),
      sourceLocation: sourceLocation)
  }
}

/// An IPv6 packet with extension headers of 8 bytes each between its header and what followed.
private func withExtensions(_ packet: [UInt8], _ first: UInt8, _ headers: [UInt8]) -> [UInt8] {
  var packet = Array(packet[..<40]) + headers + packet[40...]
  packet[6] = first
  (packet[4], packet[5]) = (UInt8((packet.count - 40) >> 8), UInt8((packet.count - 40) & 0xff))
  return packet
}
