import Divert
import Glibc
import Packets
import Testing

/// What has to happen on every host, from the manual page and the design.
package struct Scenario: Sendable, CustomTestStringConvertible {
  package let testDescription: String
  package let play: @Sendable (any ScenarioHost) throws -> Void

  init(_ name: String, _ play: @escaping @Sendable (any ScenarioHost) throws -> Void) {
    (testDescription, self.play) = (name, play)
  }

  package static let all =
    basics + manualPage + fragments + policies + version6 + version6Fragments + rewriting + garbage + release
    + notes + links

  private static let basics: [Scenario] = [
    Scenario("pings are answered while no rule diverts") { host in
      let answers = (try host.ping("192.0.2.2", count: 3), try host.ping("198.51.100.2", count: 3))
      #expect(answers == (3, 3))
    },
    Scenario("a diverted packet is the program's alone: eaten, nothing goes on") { host in
      try host.ipfw("add 100 divert 2000 icmp from any to any in icmptypes 8")
      let program = try host.program(on: 2000) { _ in [] }
      #expect(try host.ping("192.0.2.2", count: 3, programs: [program]) == 0)
      #expect(program.seen.count == 3)
      for packet in program.seen {
        #expect(packet.address.tag == 100 && packet.address.direction == .incoming && !packet.isTee)
        expectEchoRequest(packet.bytes, from: "192.0.2.1", to: "192.0.2.2")
      }
      #expect(sequences(program.seen).count == 3, "three different requests")
      #expect(try host.packets(countedBy: 100) == 3)
    },
    Scenario("written back unchanged it goes on, and is seen once") { host in
      try host.ipfw("add 100 divert 2000 icmp from any to any in icmptypes 8")
      let program = try host.program(on: 2000)
      #expect(try host.ping("192.0.2.2", count: 5, programs: [program]) == 5)
      #expect(program.seen.count == 5 && sequences(program.seen).count == 5)
      #expect(program.statistics.reinjected == 5)
    },
    Scenario("the same with what goes out") { host in
      try host.ipfw("add 100 divert 2000 icmp from any to any out icmptypes 0")
      let program = try host.program(on: 2000)
      #expect(try host.ping("192.0.2.2", count: 5, programs: [program]) == 5)
      #expect(program.seen.count == 5)
      #expect(program.seen.allSatisfy { $0.address.direction == .outgoing })
    },
    Scenario("eaten on the way out, it is not sent") { host in
      try host.ipfw("add 100 divert 2000 icmp from any to any out icmptypes 0")
      let program = try host.program(on: 2000) { _ in [] }
      #expect(try host.ping("192.0.2.2", count: 2, programs: [program]) == 0)
      #expect(program.seen.count == 2)
    },
    Scenario("a forwarded packet makes both passes") { host in
      try host.ipfw("add 100 divert 2001 icmp from any to any in icmptypes 8")
      try host.ipfw("add 200 divert 2002 icmp from any to any out icmptypes 8")
      let first = try host.program(on: 2001)
      let second = try host.program(on: 2002)
      #expect(try host.ping("198.51.100.2", count: 4, programs: [first, second]) == 4)
      #expect(first.seen.count == 4 && second.seen.count == 4)
      #expect(sequences(first.seen) == sequences(second.seen))
      #expect(first.seen.map { timeToLive($0) } == second.seen.map { timeToLive($0) + 1 })
      #expect(second.seen.allSatisfy { $0.address.direction == .outgoing && $0.address.passes == 0 })
      #expect(second.seen.map(\.address.interface) == first.seen.map(\.address.interface))
      #expect(try host.packets(countedBy: 100) == 4)
      #expect(try host.packets(countedBy: 200) == 4)
    },
    Scenario("tee: the program gets a copy, the packet goes on without it") { host in
      try host.ipfw("add 100 tee 2000 icmp from any to any in icmptypes 8")
      let program = try host.program(on: 2000) { _ in [] }
      #expect(try host.ping("192.0.2.2", count: 3) == 3, "while the program does not run")
      try program.step()
      #expect(program.seen.count == 3 && program.seen.allSatisfy(\.isTee))
    },
    Scenario("nobody has the port: divert drops, tee goes on") { host in
      try host.ipfw("add 100 tee 2000 icmp from any to any in icmptypes 8")
      #expect(try host.ping("192.0.2.2", count: 2) == 2)
      try host.ipfw("add 200 divert 2000 icmp from any to any in icmptypes 8")
      #expect(try host.ping("192.0.2.2", count: 2) == 0)
      #expect(try host.packets(countedBy: 200) == 2)
    },
    Scenario("written back with its own address it meets the next rule, not the same again") { host in
      try host.ipfw("add 100 divert 2000 icmp from any to any in icmptypes 8")
      try host.ipfw("add 200 divert 2000 icmp from any to any in icmptypes 8")
      let program = try host.program(on: 2000)
      #expect(try host.ping("192.0.2.2", count: 2, programs: [program]) == 2)
      #expect(program.seen.map(\.address.tag).sorted() == [100, 100, 200, 200])
      #expect(program.seen.map(\.address.passes).sorted() == [0, 0, 1, 1])
    },
    Scenario("rules of one number are passed over together") { host in
      try host.ipfw("add 100 divert 2000 icmp from any to any in icmptypes 8")
      try host.ipfw("add 100 divert 2000 icmp from any to any in icmptypes 8")
      let program = try host.program(on: 2000)
      #expect(try host.ping("192.0.2.2", count: 2, programs: [program]) == 2)
      #expect(program.seen.count == 2)
    },
    Scenario("with tag 0 it meets all rules again, until the loop is ended") { host in
      try host.ipfw("add 100 divert 2000 icmp from any to any in icmptypes 8")
      let program = try host.program(on: 2000) { packet in
        var packet = packet
        packet.address.tag = 0
        return [packet]
      }
      #expect(try host.ping("192.0.2.2", count: 1, programs: [program]) == 0)
      #expect(program.seen.map(\.address.passes) == Array(0..<UInt8(DivertSocket.passLimit)))
      #expect(program.statistics.looped == 1)
    },
    Scenario("rules changed between read and write are honoured") { host in
      try host.ipfw("add 100 divert 2000 icmp from any to any in icmptypes 8")
      let program = try host.program(on: 2000) { _ in [] }
      #expect(try host.ping("192.0.2.2", count: 1, programs: [program]) == 0)
      let packet = try #require(program.seen.first)
      try host.ipfw("add 150 count icmp from any to any in icmptypes 8")
      try host.ipfw("delete 100")
      let writer = try host.open(port: 2001).writer
      #expect(throws: SystemError.self, "a closed socket's writer") { try writer.reinject(packet) }
      let other = try host.open(port: 2001)
      try other.writer.reinject(packet)
      #expect(try host.packets(countedBy: 150) == 1)
      other.close()
    },
    Scenario("a full receive buffer drops and counts, and then flows again") { host in
      try host.ipfw("add 100 divert 2000 icmp from any to any in icmptypes 8")
      let socket = try host.open(port: 2000)
      try socket.setReceiveBuffer(bytes: 8192)
      let program = ScenarioProgram(socket) { [$0] }
      #expect(try host.ping("192.0.2.2", count: 60) == 0)
      while try program.step() > 0 {}
      let kept = program.seen.count
      #expect(kept > 0 && kept < 60)
      #expect(program.statistics.droppedFull == UInt64(60 - kept))
      #expect(try host.ping("192.0.2.2", count: 3, programs: [program]) == 3)
      #expect(program.statistics.droppedFull == UInt64(60 - kept))
    },
    Scenario("what is written unasked: a program's own packet, in and out") { host in
      let socket = try host.open(port: 2000)
      try host.ipfw("add 100 count icmp from 192.0.2.1 to 198.51.100.2 in icmptypes 8")
      try host.ipfw("add 200 count icmp from 192.0.2.1 to 198.51.100.2 out icmptypes 8")
      let request = hex("4500001c 00010000 40018ea9 c0000201 c6336402 0800f7fd 00010001")
      try socket.writer.reinject(request, as: .incoming(at: try #require(IPv4Address("192.0.2.2"))))
      #expect(try host.packets(countedBy: 100) == 1)
      #expect(try host.packets(countedBy: 200) == 1)
      try socket.writer.reinject(request, as: .outgoing())
      #expect(try host.packets(countedBy: 100) == 1)
      #expect(try host.packets(countedBy: 200) == 2)
      try socket.writer.reinject(request, as: .outgoing(tag: 200))
      #expect(try host.packets(countedBy: 200) == 2)
      socket.close()
    },
    Scenario("a wrong header checksum: overwritten on the way out, the end on the way in") { host in
      try host.ipfw("add 100 divert 2000 icmp from any to any in icmptypes 8")
      try host.ipfw("add 200 divert 2001 icmp from any to any out icmptypes 0")
      let spoil: ScenarioProgram.Act = { packet in
        var packet = packet
        packet.bytes[10] ^= 0xa5
        return [packet]
      }
      let incoming = try host.program(on: 2000)
      let outgoing = try host.program(on: 2001, spoil)
      #expect(try host.ping("192.0.2.2", count: 3, programs: [incoming, outgoing]) == 3)
      try host.ipfw("delete 100")
      try host.ipfw("add 100 divert 2002 icmp from any to any in icmptypes 8")
      let spoiler = try host.program(on: 2002, spoil)
      #expect(try host.ping("192.0.2.2", count: 3, programs: [spoiler, outgoing]) == 0)
      #expect(spoiler.seen.count == 3 && outgoing.seen.count == 3)
    },
    Scenario("bad packets are refused with the right errno, good ones still go") { host in
      let socket = try host.open(port: 2000)
      let request = hex("4500001c 00010000 40018ea9 c0000201 c6336402 0800f7fd 00010001")
      let unreachable = hex("4500001c 00010000 4001 0000 c0000201 cb007101 0800f7fd 00010001")
      let cases: [(String, [UInt8], DivertAddress, CInt)] = [
        ("19 bytes", Array(request.prefix(19)), .outgoing(), EINVAL),
        ("cut short", Array(request.prefix(27)), .outgoing(), EINVAL),
        ("version 5", [0x55] + request.dropFirst(), .outgoing(), EAFNOSUPPORT),
        ("no such interface", request, .incoming(on: "nosuch0"), EADDRNOTAVAIL),
        ("an address of nobody", request, .incoming(at: IPv4Address(rawValue: 0xc000_0263)), EADDRNOTAVAIL),
        ("no route", unreachable, .outgoing(), EHOSTUNREACH),
      ]
      for (name, packet, address, code) in cases {
        let error = #expect(throws: SystemError.self, "\(name)") {
          try socket.writer.reinject(packet, as: address)
        }
        #expect(error?.code == code, "\(name)")
      }
      try host.ipfw("add 300 deny icmp from any to any out icmptypes 8")
      let error = #expect(throws: SystemError.self) {
        try socket.writer.reinject(request, as: .outgoing())
      }
      #expect(error?.code == EACCES)
      try host.ipfw("delete 300")
      try socket.writer.reinject(request, as: .outgoing())
      socket.close()
    },
    Scenario("a port is one socket's, and free when that is closed") { host in
      let socket = try host.open(port: 2000)
      let error = #expect(throws: SystemError.self) { _ = try host.open(port: 2000).port }
      #expect(error?.code == EADDRINUSE)
      socket.close()
      #expect(try host.openFreed(port: 2000).port == 2000)
      let any = try host.open(port: 0)
      #expect(any.port != 0)
      any.close()
    },
  ]
}

private func sequences(_ packets: [Packet]) -> Set<[UInt8]> { Set(packets.map { Array($0.bytes[26..<28]) }) }

private func timeToLive(_ packet: Packet) -> UInt8 { packet.bytes[8] }

private func expectEchoRequest(
  _ packet: [UInt8], from source: String, to destination: String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  guard packet.count >= 28 else {
    Issue.record("\(packet.count) bytes", sourceLocation: sourceLocation)
    return
  }
  let bytes = packet.rawSpan
  let addresses = (
    IPv4Address(rawValue: bytes.integer(at: 12)), IPv4Address(rawValue: bytes.integer(at: 16))
  )
  #expect(addresses == (IPv4Address(source), IPv4Address(destination)), sourceLocation: sourceLocation)
  #expect(packet[9] == 1 && packet[20] == 8, sourceLocation: sourceLocation)
  #expect(Int(bytes.integer(at: 2) as UInt16) == packet.count, sourceLocation: sourceLocation)
  #expect(onesComplementSum(packet[..<20]) == 0xffff, sourceLocation: sourceLocation)
  #expect(onesComplementSum(packet[20...]) == 0xffff, sourceLocation: sourceLocation)
}

/// RFC 1071, the slow way: 0xffff over bytes that contain their checksum.
package func onesComplementSum(_ bytes: ArraySlice<UInt8>) -> Int {
  var sum = 0
  for (index, byte) in bytes.enumerated() { sum += Int(byte) << (index % 2 == 0 ? 8 : 0) }
  while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
  return sum
}
