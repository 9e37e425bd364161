import Divert
import Glibc
import Packets
import Testing

/// Destinations that say less than by which interface to leave, and where packets may not go.
extension Scenario {
  static let links: [Scenario] = [
    Scenario(
      "to a group or to all: by the interface that is named or has the source, unchanged; else ENETUNREACH"
    ) {
      host in
      try host.ipfw("add 100 tee 2001 udp from any to any out")
      try host.ipfw("add 200 count udp from any to any out xmit em1")
      let observer = try host.program(on: 2001) { _ in [] }
      let socket = try host.open(port: 2000)
      let destinations = ["224.0.0.251", "239.1.2.3", "255.255.255.255", "ff02::fb", "ff05::2", "fe80::77"]
      for (number, destination) in destinations.enumerated() {
        let (source, stranger) =
          destination.contains(":") ? ("2001:db8:2::1", "2001:db8:9::9") : ("198.51.100.1", "203.0.113.9")
        var packet = try Sample.udp(source, 5353, destination, 5353, [1, 2, 3])
        packet[destination.contains(":") ? 7 : 8] = 7
        if !destination.contains(":") { setHeaderChecksum(&packet) }
        let error = #expect(throws: SystemError.self, "\(destination)") {
          try socket.writer.reinject(Sample.udp(stranger, 1, destination, 2), as: .outgoing())
        }
        #expect(error?.code == ENETUNREACH, "\(destination)")
        let unknown = #expect(throws: SystemError.self) {
          try socket.writer.reinject(packet, as: .outgoing(on: "nosuch0"))
        }
        #expect(unknown?.code == EADDRNOTAVAIL)
        // Nobody has that address, so the packet waits there for its neighbour's.
        guard destination != "fe80::77" else { continue }
        for (way, address) in [DivertAddress.outgoing(on: "em1"), .outgoing()].enumerated() {
          try socket.writer.reinject(packet, as: address)
          try observer.step(wait: .seconds(5))
          #expect(observer.seen.map(\.bytes).last == packet, "\(destination): with its own time to live")
          #expect(host.name(of: try #require(observer.seen.last).address.interface) == "em1")
          #expect(try host.packets(countedBy: 200) == UInt64(2 * number + way + 1), "\(destination)")
        }
      }
      socket.close()
    },
    Scenario("to all of a network of this host: by that network's interface, named or not") { host in
      try host.ipfw("add 100 count udp from any to 198.51.100.255 out xmit em1")
      let socket = try host.open(port: 2000)
      let packet = try Sample.udp("198.51.100.1", 1, "198.51.100.255", 2)
      try socket.writer.reinject(packet, as: .outgoing())
      #expect(try host.packets(countedBy: 100) == 1)
      try socket.writer.reinject(packet, as: .outgoing(on: "em1"))
      #expect(try host.packets(countedBy: 100) == 2)
      socket.close()
    },
    Scenario("an interface is no route: what has one goes by it") { host in
      try host.ipfw("add 100 count udp from any to 198.51.100.2 out xmit em1")
      let socket = try host.open(port: 2000)
      let packet = try Sample.udp("198.51.100.1", 1, "198.51.100.2", 2)
      try socket.writer.reinject(packet, as: .outgoing(on: "em0"))
      #expect(try host.packets(countedBy: 100) == 1)
      socket.close()
    },
    Scenario("127/8 does not leave by another interface than loopback") { host in
      try host.ipfw("add 100 count udp from 127.0.0.1 to any out")
      let socket = try host.open(port: 2000)
      for (destination, address) in [
        ("198.51.100.2", .outgoing()), ("198.51.100.255", .outgoing()), ("224.0.0.9", .outgoing(on: "em1")),
      ] as [(String, DivertAddress)] {
        let error = #expect(throws: SystemError.self, "\(destination)") {
          try socket.writer.reinject(Sample.udp("127.0.0.1", 1, destination, 2), as: address)
        }
        #expect(error?.code == EADDRNOTAVAIL, "\(destination)")
      }
      #expect(try host.packets(countedBy: 100) == 0)
      try socket.writer.reinject(Sample.udp("127.0.0.1", 1, "127.0.0.1", 2), as: .outgoing())
      try socket.writer.reinject(Sample.udp("127.0.0.1", 1, "192.0.2.2", 2), as: .outgoing())
      #expect(try host.packets(countedBy: 100) == 2)
      socket.close()
    },
    Scenario("the last fragment to come decides which port and tag the datagram has") { host in
      try host.ipfw("add 100 divert 2001 udp from any to any 2 in")
      try host.ipfw("add 200 divert 2002 udp from any to any in frag")
      let (first, rest) = (try host.program(on: 2001) { _ in [] }, try host.program(on: 2002) { _ in [] })
      let socket = try host.open(port: 2000)
      let datagram = try Sample.udp("192.0.2.1", 1, "192.0.2.2", 2, [UInt8](repeating: 7, count: 100))
      let pieces = try [(0, true), (56, false)].map { offset, more in
        try Sample.packet(
          17, "192.0.2.1", "192.0.2.2",
          Array(more ? datagram[20..<76] : datagram[76...]), fragmentOffset: offset, moreFragments: more)
      }
      for (order, program, tag) in [([0, 1], rest, 200), ([1, 0], first, 100)]
        as [([Int], ScenarioProgram, UInt16)]
      {
        for number in order { try socket.writer.reinject(pieces[number], as: .incoming(on: "em0")) }
        try program.step(wait: .seconds(5))
        #expect(program.seen.map(\.bytes.count) == [datagram.count] && program.seen.first?.address.tag == tag)
      }
      #expect(first.seen.count == 1 && rest.seen.count == 1)
      socket.close()
    },
  ]
}
