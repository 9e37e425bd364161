import Divert
import Glibc
import Kernel
import SimulatedHost
import TestSupport
import Testing

/// What a host does besides diverting.
struct PacketPathTests {
  let host = SimulatedHost(forwards: true)

  init() throws {
    try host.addInterface("em0", "192.0.2.2/24", "2001:db8:1::2/64")
    try host.addInterface("em1", "198.51.100.1/24", "2001:db8:2::1/64")
  }

  private func request(
    _ source: String, _ destination: String, timeToLive: UInt8 = 64
  ) throws -> [UInt8] {
    try SimulatedPacket.echoRequest(
      from: source, to: destination, payload: Array("hello".utf8), timeToLive: timeToLive)
  }

  @Test func `what passes since nobody listens is counted, rule by rule`() throws {
    let host = SimulatedHost()
    try host.addInterface("em0", "192.0.2.2/24")
    for number in [100, 200] { try host.ipfw("add \(number) divert 2000 icmp from any to any in") }
    host.setPolicy(.pass, ofPort: 2000)
    try host.receive(SimulatedPacket.echoRequest(from: "192.0.2.1", to: "192.0.2.2"), on: "em0")
    #expect(host.counter(ofRule: 100).packets == 1 && host.counter(ofRule: 200).packets == 1)
    #expect(host.counters.noListener == 2 && host.transmitted(on: "em0").count == 1)
    host.setPolicy(.drop, ofPort: 2000)
    try host.receive(SimulatedPacket.echoRequest(from: "192.0.2.1", to: "192.0.2.2"), on: "em0")
    #expect(host.counter(ofRule: 100).packets == 2 && host.counter(ofRule: 200).packets == 1)
    #expect(host.counters.noListener == 3 && host.transmitted(on: "em0").count == 1)
  }

  static let pings = [("192.0.2.1", "192.0.2.2"), ("2001:db8:1::1", "2001:db8:1::2")]
  @Test func `an echo request is answered with its own payload`() throws {
    for (source, destination) in Self.pings {
      let request = try request(source, destination)
      try host.receive(request, on: "em0")
      let answer = try #require(host.transmitted(on: "em0").last)
      let start = answer[0] >> 4 == 4 ? 20 : 40
      #expect(answer.suffix(from: start + 4) == request.suffix(from: start + 4))
      #expect(answer[start] == (start == 20 ? 0 : 129))
      #expect(answer.count == request.count)
    }
    #expect(host.transmitted(on: "em0").count == 2)
    #expect(host.takeReceived().isEmpty)
  }

  @Test func `a packet for somebody else is forwarded with a time to live one less`() throws {
    for (source, destination, offset) in [
      ("192.0.2.1", "198.51.100.2", 8), ("2001:db8:1::1", "2001:db8:2::2", 7),
    ] {
      let packet = try request(source, destination)
      try host.receive(packet, on: "em0")
      let forwarded = try #require(host.transmitted(on: "em1").last)
      #expect(forwarded[offset] == 63)
      #expect(offset == 7 || onesComplementSum(forwarded[..<20]) == 0xffff)
      #expect(forwarded.dropFirst(12) == packet.dropFirst(12))
    }
    #expect(host.counters.forwarded == 2)
    try host.receive(try request("192.0.2.1", "198.51.100.2", timeToLive: 1), on: "em0")
    #expect(host.counters.timeToLiveExceeded == 1 && host.transmitted(on: "em1").count == 2)
    try host.receive(try request("192.0.2.1", "203.0.113.1"), on: "em0")
    #expect(host.counters.unreachable == 1)
  }

  @Test func `a host that does not forward drops what is for somebody else`() throws {
    let host = SimulatedHost()
    try host.addInterface("em0", "192.0.2.2/24")
    try host.receive(try request("192.0.2.1", "192.0.2.3"), on: "em0")
    #expect(host.counters.unreachable == 1 && host.transmitted(on: "em0").isEmpty)
  }

  @Test func `a header that makes no sense is dropped`() throws {
    let good = try request("192.0.2.1", "192.0.2.2")
    for length in 0..<good.count { try host.receive(Array(good.prefix(length)), on: "em0") }
    #expect(host.counters.badHeader == UInt64(good.count))
    var bad = good
    bad[10] ^= 1
    try host.receive(bad, on: "em0")
    try host.receive(try request("127.0.0.1", "192.0.2.2"), on: "em0")
    try host.receive(try request("192.0.2.1", "127.0.0.1"), on: "em0")
    #expect(host.counters.badHeader == UInt64(good.count) + 3)
    #expect(host.transmitted(on: "em0").isEmpty)
    try host.receive(good + [0, 0, 0], on: "em0")
    #expect(host.transmitted(on: "em0").map(\.count) == [good.count], "without the padding")
  }

  @Test func `a packet to oneself goes out on loopback and comes in there`() throws {
    try host.ipfw("add 100 count icmp from any to any out via lo0 icmptypes 8")
    try host.ipfw("add 200 count icmp from any to any in via lo0 icmptypes 8")
    for (number, address) in ["192.0.2.2", "127.0.0.1"].enumerated() {
      try host.send(try request(address, address))
      #expect(host.counter(ofRule: 100).packets == UInt64(number + 1))
      #expect(host.counter(ofRule: 200).packets == UInt64(number + 1))
    }
    let answers = host.takeReceived()
    #expect(answers.count == 2 && answers.allSatisfy { $0[20] == 0 })
  }

  @Test func `what came in on an interface without addresses is written back as incoming`() throws {
    try host.addInterface("em2")
    try host.ipfw("add 100 divert 2000 ip from any to any in recv em2")
    var socket = try DivertSocket(port: 2000, on: host)
    let writer = socket.writer
    try host.receive(try request("203.0.113.1", "198.51.100.2"), on: "em2")
    var batch = try socket.read(timeout: .zero)
    while let packet = batch.next() {
      let (address, name) = (packet.address, packet.interfaceName)
      #expect(address.direction == .incoming && name == "em2" && address.tag == 100)
    }
    #expect(writer.reinject(batch).written == 1)
    #expect(host.counters.reinjectedIncoming == 1 && host.transmitted(on: "em1").count == 1)
  }

  @Test func `an unset source is that of the interface`() throws {
    try host.send(try request("0.0.0.0", "192.0.2.1"))
    let sent = try #require(host.transmitted(on: "em0").first)
    #expect(Array(sent[12..<16]) == [192, 0, 2, 2])
    #expect(onesComplementSum(sent[..<20]) == 0xffff)
  }

  @Test func `a sender is told what hinders it`() throws {
    let unreachable = #expect(throws: SystemError.self) {
      try host.send(try request("192.0.2.2", "203.0.113.1"))
    }
    #expect(unreachable?.code == EHOSTUNREACH)
    try host.ipfw("add 100 deny ip from any to any out")
    let denied = #expect(throws: SystemError.self) {
      try host.send(try request("192.0.2.2", "192.0.2.1"))
    }
    #expect(denied?.code == EACCES && host.counters.denied == 1)
    try host.ipfw("flush")
    try host.ipfw("add 100 divert 2000 ip from any to any out")
    try host.send(try request("192.0.2.2", "192.0.2.1"))
    #expect(host.counters.noListener == 1, "diverting looks like success")
  }

  @Test func `the longest prefix decides`() throws {
    try host.addRoute(to: "default", on: "em0")
    try host.addRoute(to: "203.0.113.128/25", on: "em1")
    try host.send(try request("192.0.2.2", "203.0.113.1"))
    try host.send(try request("192.0.2.2", "203.0.113.129"))
    #expect(host.transmitted(on: "em0").count == 1 && host.transmitted(on: "em1").count == 1)
  }

  @Test func `rules, counters and the clock`() throws {
    let clock = SimulatedClock(secondsSince1970: 1_000_000_000)
    let host = SimulatedHost(clock: clock)
    try host.addInterface("em0", "192.0.2.2/24")
    #expect(try host.ipfw("add 100 count icmp from any to me in") == "00100 count icmp from any to me in\n")
    clock.advance(by: .seconds(5))
    try host.receive(try request("192.0.2.1", "192.0.2.2"), on: "em0")
    #expect(host.counter(ofRule: 100) == (1, 33))
    #expect(
      try host.ipfw("show")
        == "00100 1 33 count icmp from any to me in\n65535 2 66 allow ip from any to any\n")
    let error = #expect(throws: SimulationError.self) { try host.ipfw("add allow ip frm any to any") }
    #expect(error?.description == "ipfw: missing ``from''")
  }

  @Test func `mistakes in the set-up`() {
    #expect(throws: SimulationError.self) { try host.addInterface("em0", "10.0.0.1/8") }
    #expect(throws: SimulationError.self) { try host.addInterface("em2", "10.0.0.1/33") }
    #expect(throws: SimulationError.self) { try host.addInterface("em2", "10.0.0") }
    #expect(throws: SimulationError.self) { try host.addInterface("a-name-of-16-byte", "10.0.0.1/8") }
    #expect(throws: SimulationError.self) { try host.receive([], on: "em9") }
    #expect(throws: SimulationError.self) { try host.addRoute(to: "10.0.0.0/8", on: "em9") }
    #expect(throws: SimulationError.self) { try host.connect("em0", to: host, "em9") }
  }
}
