import Testing

@testable import DivertTool

struct DemoTests {
  @Test func `the tour shows what it promises`() throws {
    var text = ""
    try Demo(on: SimulatedStage(), say: { text += $0 }).run()
    let lines = text.split(separator: "\n").map { $0.drop { $0 == " " } }
    let expected = [
      "B# ipfw add 100 divert 2000 icmp from any to any in icmptypes 8",
      "program  in  em0 tag 100  192.0.2.1 > 192.0.2.2: ICMP echo request, id 1, seq 1, length 8",
      "A sees   no answer",
      "program  in  em0 tag 100  192.0.2.1 > 192.0.2.2: ICMP echo request, id 1, seq 2, length 8",
      "A sees   192.0.2.2 > 192.0.2.1: ICMP echo reply, id 1, seq 2, length 8",
      "program  in  em0 tag 200  192.0.2.1.40000 > 198.51.100.2.4000: udp, length 16",
      "C reads  \"the answer is 42\"",
      "C reads  \"nobody touches this\"",
      "program  out em0 tee 300  192.0.2.1.40000 > 198.51.100.2.4000: udp, length 19",
      "00100 2  56 divert 2000 icmp from any to any in icmptypes 8",
      "00300 1  47 tee 2002 udp from any to any out",
    ]
    var rest = lines[...]
    for line in expected {
      guard let place = rest.firstIndex(of: line[...]) else {
        Issue.record("not there, or not in its place: \(line)\n\(text)")
        return
      }
      rest = rest[(place + 1)...]
    }
    #expect(lines.allSatisfy { $0.count <= 110 })
  }
}
