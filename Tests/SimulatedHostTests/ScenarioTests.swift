import Divert
import SimulatedHost
import TestSupport
import Testing

/// Three simulated hosts in a row.
struct SimulatedScenario: ScenarioHost {
  let a = SimulatedHost(named: "A")
  let b = SimulatedHost(named: "B", forwards: true)
  let c = SimulatedHost(named: "C")

  init() throws {
    try a.addInterface("em0", "192.0.2.1/24", "2001:db8:1::1/64")
    try b.addInterface("em0", "192.0.2.2/24", "2001:db8:1::2/64")
    try b.addInterface("em1", "198.51.100.1/24", "2001:db8:2::1/64")
    try c.addInterface("em0", "198.51.100.2/24", "2001:db8:2::2/64")
    try a.connect("em0", to: b, "em0")
    try b.connect("em1", to: c, "em0")
    try a.addRoute(to: "default", on: "em0")
    try c.addRoute(to: "default", on: "em0")
  }

  func ipfw(_ command: String) throws -> String { try b.ipfw(command) }

  func open(port: UInt16, options: DivertOptions) throws(SystemError) -> DivertSocket {
    try DivertSocket(port: port, on: b, options: options)
  }

  func setPolicy(_ policy: UnboundPolicy, ofPort port: UInt16) { b.setPolicy(policy, ofPort: port) }

  func ping(_ destination: String, count: Int, size: Int, programs: [ScenarioProgram]) throws -> Int {
    let isVersion6 = destination.contains(":")
    _ = a.takeReceived()  // answers to earlier pings
    for sequence in 1...UInt16(count) {
      try a.send(
        SimulatedPacket.echoRequest(
          from: isVersion6 ? "2001:db8:1::1" : "192.0.2.1", to: destination, sequence: sequence,
          payload: [UInt8](repeating: 0x5a, count: size)))
      while try programs.reduce(0, { try $0 + $1.step() }) > 0 {}
    }
    return a.takeReceived().count { packet in
      isVersion6
        ? packet.count >= 48 && packet[6] == 58 && packet[40] == 129
        : packet.count >= 28 && packet[9] == 1 && packet[20] == 0
    }
  }

  func send(_ size: Int, to destination: String, port: UInt16, mark: UInt32, owner: UInt32) throws {
    let source =
      destination.contains(":") ? "2001:db8:1::2" : destination == "192.0.2.1" ? "192.0.2.2" : "198.51.100.1"
    let datagram = try SimulatedPacket.udp(
      from: source, port: 1, to: destination, port: port, payload: [UInt8](repeating: 7, count: size))
    try b.send(datagram, mark: mark, owner: owner)
  }

  func name(of interface: DivertAddress.Interface) -> String? {
    guard case .index(let index) = interface else { return nil }
    return b.name(ofIndex: index)
  }

  func packets(countedBy rule: UInt16) -> UInt64 { b.counter(ofRule: rule).packets }
}

struct ScenarioTests {
  @Test(arguments: Scenario.all) func `on the simulated host`(_ scenario: Scenario) throws {
    try scenario.play(SimulatedScenario())
  }
}
