import Packets
import SimulatedHost

/// Three hosts in this process: everything has happened when a call returns.
struct SimulatedStage: DemoStage {
  let setting = "Three hosts, simulated in this process."
  let farewell = "That was all in one process. `divertd` does the same to this machine's packets."
  let patience = Duration.zero
  let host = SimulatedHost(named: "B", forwards: true)
  private let a = SimulatedHost(named: "A")
  private let c = SimulatedHost(named: "C")

  init() throws {
    try a.addInterface("em0", "192.0.2.1/24")
    try host.addInterface("em0", "192.0.2.2/24")
    try host.addInterface("em1", "198.51.100.1/24")
    try c.addInterface("em0", "198.51.100.2/24")
    try a.connect("em0", to: host, "em0")
    try host.connect("em1", to: c, "em0")
    try a.addRoute(to: "default", on: "em0")
    try c.addRoute(to: "default", on: "em0")
  }

  func ipfw(_ command: String) throws -> String { try host.ipfw(command) }

  func startPing(sequence: UInt16) throws {
    try a.send(
      SimulatedPacket.echoRequest(from: Self.addressOfA, to: Self.addressOfB, sequence: sequence))
  }

  func pingResult() -> [String] {
    let answers = a.takeReceived()
    return answers.isEmpty
      ? ["no answer"] : answers.map { unsafe PacketSummary.summary(of: $0.span.bytes) }
  }

  func send(_ message: String) throws {
    try a.send(
      SimulatedPacket.udp(
        from: Self.addressOfA, port: Self.portOfA, to: Self.addressOfC, port: Self.portOfC,
        payload: Array(message.utf8)))
  }

  /// Behind an IP header without options and the UDP header.
  func receive() -> String? {
    c.takeReceived().first.map { String(decoding: $0.dropFirst(28), as: UTF8.self) }
  }
}
