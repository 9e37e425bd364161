import Divert
import Testing

extension Scenario {
  /// Ports that are let go while their sockets are still read.
  static let release: [Scenario] = [
    Scenario("a released port is free at once, and what it had got is read to the end") { host in
      try host.ipfw("add 100 divert 2000 icmp from any to any in icmptypes 8")
      try host.ipfw("add 200 count icmp from any to any in icmptypes 8")
      var socket = try host.open(port: 2000)
      let writer = socket.writer
      #expect(try host.ping("192.0.2.2", count: 3) == 0)
      try socket.binding.release()
      let next = try host.program(on: 2000)
      #expect(try host.ping("192.0.2.2", count: 2, programs: [next]) == 2)
      #expect(next.seen.count == 2)
      #expect(try host.packets(countedBy: 200) == 2)
      var written = 0
      while !socket.isDrained {
        let batch = try socket.read()
        written += writer.reinject(batch).written
      }
      #expect(written == 3 && socket.statistics.received == 3)
      #expect(try host.packets(countedBy: 200) == 5, "what was read is still written back")
      #expect(try socket.read().isEmpty && socket.read(timeout: .seconds(3600)).isEmpty)
      try socket.binding.release()
      #expect(try host.ping("192.0.2.2", count: 1, programs: [next]) == 1, "the other's port is the other's")
      socket.close()
    },
    Scenario("the end is told to a socket whose receive buffer is full") { host in
      try host.ipfw("add 100 divert 2000 icmp from any to any in icmptypes 8")
      var socket = try host.open(port: 2000)
      try socket.setReceiveBuffer(bytes: 8192)
      #expect(try host.ping("192.0.2.2", count: 60) == 0)
      try socket.binding.release()
      var count = 0
      while !socket.isDrained { count += try socket.read().count }
      #expect(count > 0 && count < 60)
      #expect(socket.statistics.droppedFull == UInt64(60 - count))
    },
    Scenario("a closed socket has no port to release") { host in
      let socket = try host.open(port: 2000)
      let binding = socket.binding
      socket.close()
      let error = #expect(throws: SystemError.self) { try binding.release() }
      #expect(error?.code == 9 && binding.port == 2000, "EBADF")
    },
  ]
}
