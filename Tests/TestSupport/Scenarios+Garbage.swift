import Divert
import Glibc
import Packets
import Testing

/// What a mad program writes is its own trouble.
extension Scenario {
  static let garbage: [Scenario] = [
    Scenario("10 000 packets of garbage each way: refused or dropped, and the host is well") { host in
      try host.ipfw("add 100 divert 2001 udp from any to any")
      try host.ipfw("add 200 tee 2001 icmp from any to any frag")
      try host.ipfw("add 300 count tcp from any to any tcpflags syn setup")
      let eats = try host.program(on: 2001) { _ in [] }
      let socket = try host.open(port: 2000)
      var garbage = try Garbage(stream: 1)
      var errors: [CInt: Int] = [:]
      for number in 0..<20_000 {
        let packet = garbage.next()
        let address: DivertAddress = number % 2 == 0 ? .incoming(on: "em0") : .outgoing()
        do throws(SystemError) {
          try socket.writer.reinject(packet, as: address)
        } catch {
          errors[error.code, default: 0] += 1
        }
        if number % 100 == 0 { while try eats.step() > 0 {} }
      }
      let statistics = socket.statistics
      #expect(statistics.refused == errors.values.reduce(0, +))
      // The errors that DivertWriter tells of.
      let told: Set<CInt> = [
        EINVAL, EAFNOSUPPORT, EMSGSIZE, EADDRNOTAVAIL, EHOSTUNREACH, ENETUNREACH, EACCES, ENOBUFS,
      ]
      #expect(told.isSuperset(of: errors.keys), "\(errors), TEST_SEED=\(testSeed)")
      #expect(
        errors[EINVAL] != nil && errors[EAFNOSUPPORT] != nil && errors[EHOSTUNREACH] != nil, "\(errors)")
      #expect(
        statistics.droppedChecksum > 0 && statistics.reinjectedIncoming > 0
          && statistics.reinjectedOutgoing > 0)
      #expect(!eats.seen.isEmpty, "some of it is real enough")
      for destination in ["192.0.2.2", "198.51.100.2", near, far] {
        #expect(try host.ping(destination, count: 2) == 2, "\(destination), TEST_SEED=\(testSeed)")
      }
      try host.ipfw("add 50 divert 2002 icmp from any to any in icmptypes 8")
      let program = try host.program(on: 2002)
      #expect(try host.ping("192.0.2.2", count: 2, programs: [program]) == 2, "TEST_SEED=\(testSeed)")
      socket.close()
    }
  ]
}
