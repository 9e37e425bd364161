import Divert
import DivertWire
import Testing

/// What happens while nobody listens: divert(4) drops, unless the port's policy says otherwise.
extension Scenario {
  static let policies: [Scenario] = [
    Scenario("a port whose policy is pass: while nobody has it, packets go on with the next rule") { host in
      try host.ipfw("add 100 divert 2000 icmp from any to any in icmptypes 8")
      try host.ipfw("add 100 count icmp from any to any in icmptypes 8")
      try host.ipfw("add 200 divert 2000 icmp from any to any out icmptypes 0")
      try host.setPolicy(.pass, ofPort: 2000)
      #expect(try host.ping("192.0.2.2", count: 3) == 3)
      #expect(try host.packets(countedBy: 100) == 6, "each of the two rules counts each packet once")
      #expect(try host.packets(countedBy: 200) == 3)

      let program = try host.program(on: 2000)
      #expect(try host.ping("192.0.2.2", count: 2, programs: [program]) == 2)
      #expect(program.seen.count == 4, "what somebody listens for is diverted as ever")
      #expect(
        try host.packets(countedBy: 100) == 8, "written back, it meets neither of the rules with its tag")

      try host.setPolicy(.drop, ofPort: 2000)
      #expect(try host.ping("192.0.2.2", count: 1, programs: [program]) == 1)
    },
    Scenario("a port's policy changes, is its own, and stays when rules change") { host in
      try host.ipfw("add 100 divert 2000 icmp from any to any in icmptypes 8")
      #expect(try host.ping("192.0.2.2", count: 1) == 0)
      try host.setPolicy(.pass, ofPort: 2001)
      #expect(try host.ping("192.0.2.2", count: 1) == 0)
      try host.setPolicy(.pass, ofPort: 2000)
      #expect(try host.ping("192.0.2.2", count: 1) == 1)
      try host.ipfw("add 50 count ip from any to any")
      #expect(try host.ping("192.0.2.2", count: 1) == 1)
      try host.ipfw("add 200 divert 2002 icmp from any to any in icmptypes 8")
      #expect(try host.ping("192.0.2.2", count: 1) == 0)
      try host.setPolicy(.pass, ofPort: 2002)
      #expect(try host.ping("192.0.2.2", count: 1) == 1)
      try host.setPolicy(.drop, ofPort: 2000)
      #expect(try host.ping("192.0.2.2", count: 1) == 0)
    },
    Scenario("a port that passes while nobody has it lets fragments pass, too") { host in
      try host.ipfw("add 100 divert 2000 icmp from any to any in")
      try host.setPolicy(.pass, ofPort: 2000)
      #expect(try host.ping("192.0.2.2", count: 2, size: 20_000) == 2)
      #expect(try host.packets(countedBy: 100) == 28, "14 fragments each")
      let program = try host.program(on: 2000)
      #expect(try host.ping("192.0.2.2", count: 2, size: 20_000, programs: [program]) == 2)
      #expect(program.seen.map(\.bytes.count) == [20_028, 20_028])
    },
  ]
}
