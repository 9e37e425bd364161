import Divert
import Packets
import Testing

/// What is told of a packet beside its bytes and its address, to sockets that ask.
extension Scenario {
  private static let everything: DivertOptions = [.time, .mark, .owner]

  static let notes: [Scenario] = [
    Scenario("time, mark and owner are told to a socket that asks, and the mark goes on with the packet") {
      host in
      try host.ipfw("add 100 divert 2000 udp from any to any 4000 out")
      try host.ipfw("add 200 divert 2001 udp from any to any 4000 out")
      let first = try host.program(on: 2000, options: everything)
      let second = try host.program(on: 2001, options: everything)
      for destination in ["192.0.2.1", "2001:db8:1::1", "198.51.100.2"] {
        // 4000 bytes are cut on their way, and judged whole in user space.
        for size in [10, 4000] {
          try host.send(size, to: destination, port: 4000, mark: 0x0700_0009, owner: 4242)
          try first.step(wait: .seconds(5))
          try second.step(wait: .seconds(5))
          let told = try #require(first.seen.last), then = try #require(second.seen.last)
          #expect(told.bytes.count == then.bytes.count && told.bytes.count > size, "\(destination) \(size)")
          #expect(told.address.mark == 0x0700_0009 && then.address.mark == 0x0700_0009)
          #expect(told.owner == 4242 && then.owner == nil, "what was written back has no owner any more")
          let times = (try #require(told.time), try #require(then.time))
          #expect(times.0 > 946_000_000_000_000_000 && times.0 <= times.1)
        }
      }
      #expect(first.seen.count == 6 && second.seen.count == 6)
      try host.send(10, to: "192.0.2.1", port: 4000, mark: 0, owner: 0)
      try first.step(wait: .seconds(5))
      #expect(first.seen.last?.address.mark == 0 && first.seen.last?.owner == 0, "root's, and unmarked")
    },
    Scenario("a socket that does not ask is told nothing") { host in
      try host.ipfw("add 100 divert 2000 udp from any to any 4000 out")
      try host.ipfw("add 200 divert 2001 udp from any to any 4000 out")
      var socket = try host.open(port: 2000)
      let writer = socket.writer
      let second = try host.program(on: 2001, options: .mark)
      for _ in 0..<2 {
        try host.send(10, to: "192.0.2.1", port: 4000, mark: 7, owner: 4242)
        var batch = try socket.read(timeout: .seconds(5))
        while var packet = batch.next() {
          #expect(packet.time == nil && packet.mark == 0 && packet.owner == nil)
          packet.mark = 8
          #expect(packet.mark == 0 && packet.address.mark == 0)
        }
        writer.reinject(batch)
        try second.step(wait: .seconds(5))
      }
      #expect(second.seen.map(\.address.mark) == [7, 7], "and the packet keeps what it had")
      #expect(second.seen.allSatisfy { $0.time == nil && $0.owner == nil })
      socket.close()
    },
    Scenario("a mark may be changed in place, and given to a packet of a program's own") { host in
      try host.ipfw("add 100 divert 2000 udp from any to any 4000 out")
      try host.ipfw("add 200 divert 2001 udp from any to any 4000 out")
      var socket = try host.open(port: 2000, options: .mark)
      let writer = socket.writer
      let second = try host.program(on: 2001, options: .mark)
      for mark in [1, 2, 3] as [UInt32] {
        try host.send(10, to: "192.0.2.1", port: 4000, mark: mark, owner: 0)
      }
      var count = 0
      while count < 3 {
        var batch = try socket.read()
        count += batch.count
        while var packet = batch.next() { packet.mark = packet.mark == 2 ? 0 : packet.mark + 10 }
        #expect(writer.reinject(batch).refused == 0)
      }
      while second.seen.count < 3, try second.step(wait: .seconds(5)) > 0 {}
      #expect(second.seen.map(\.address.mark) == [11, 0, 13])

      let unasked = try host.open(port: 2002)
      var address = DivertAddress.outgoing(tag: 100)
      address.mark = 77
      try unasked.writer.reinject(Sample.udp("192.0.2.2", 1, "192.0.2.1", 4000), as: address)
      try second.step(wait: .seconds(5))
      #expect(second.seen.last?.address.mark == 77)
      unasked.close()
      socket.close()
    },
    Scenario("a mark that is set on the way in is there on the way out") { host in
      try host.ipfw("add 100 divert 2000 icmp from any to any in icmptypes 8")
      try host.ipfw("add 200 divert 2001 icmp from any to any out icmptypes 8")
      let marks = try host.program(on: 2000, options: everything) { packet in
        var packet = packet
        packet.address.mark = 11
        return [packet]
      }
      let second = try host.program(on: 2001, options: everything)
      #expect(try host.ping("198.51.100.2", count: 2, programs: [marks, second]) == 2)
      #expect(try host.ping("198.51.100.2", count: 2, size: 4000, programs: [marks, second]) == 2)
      #expect(marks.seen.map(\.address.mark) == [0, 0, 0, 0] && marks.seen.allSatisfy { $0.owner == nil })
      #expect(second.seen.map(\.address.mark) == [11, 11, 11, 11])
      #expect(second.seen.allSatisfy { $0.owner == nil && $0.time != nil }, "forwarded: nobody's here")
    },
    Scenario("a copy by tee tells the same, and the original keeps its mark") { host in
      try host.ipfw("add 100 tee 2000 udp from any to any 4000 out")
      try host.ipfw("add 200 divert 2001 udp from any to any 4000 out")
      let copies = try host.program(on: 2000, options: everything) { _ in [] }
      let original = try host.program(on: 2001, options: everything)
      try host.send(10, to: "192.0.2.1", port: 4000, mark: 7, owner: 4242)
      try copies.step(wait: .seconds(5))
      try original.step(wait: .seconds(5))
      for seen in [copies.seen, original.seen] {
        #expect(seen.map(\.address.mark) == [7] && seen.map(\.owner) == [4242])
      }
      #expect(copies.seen.first?.isTee == true && original.seen.first?.isTee == false)
    },
  ]
}
