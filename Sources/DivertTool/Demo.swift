import Divert
import SimulatedHost

/// The tour: ping diverted, a payload rewritten, a copy by tee, what the rules have counted.
struct Demo {
  let say: (String) -> Void
  private let a = SimulatedHost(named: "A")
  private let b = SimulatedHost(named: "B", forwards: true)
  private let c = SimulatedHost(named: "C")

  init(say: @escaping (String) -> Void) { self.say = say }

  func run() throws {
    try buildNetwork()
    try eatPings()
    try passPings()
    try rewrite()
    try watch()
    say("\nWhat B's rules have counted:\n")
    try ipfw("show")
    say("\nThat was all in one process. `divertd` does the same to this machine's packets.\n")
  }

  private func buildNetwork() throws {
    say(
      """
      Three hosts, B in the middle; its rules divert packets to programs.

        A ──────────────── B ──────────────── C
        192.0.2.1          192.0.2.2          198.51.100.2
                           198.51.100.1

      """)
    try a.addInterface("em0", "192.0.2.1/24")
    try b.addInterface("em0", "192.0.2.2/24")
    try b.addInterface("em1", "198.51.100.1/24")
    try c.addInterface("em0", "198.51.100.2/24")
    try a.connect("em0", to: b, "em0")
    try b.connect("em1", to: c, "em0")
    try a.addRoute(to: "default", on: "em0")
    try c.addRoute(to: "default", on: "em0")
  }

  // MARK: The stations

  private func eatPings() throws {
    chapter(
      "A pings B",
      "A rule diverts echo requests to port 2000. The program there reads, and writes nothing back.")
    try ipfw("add 100 divert 2000 icmp from any to any in icmptypes 8")
    var socket = try DivertSocket(port: 2000, on: b)
    try ping("192.0.2.2", sequence: 1)
    var batch = try socket.read(timeout: .zero)
    while let packet = batch.next() { say("  program  \(packet.line)\n") }
    sayAnswers()
  }

  private func passPings() throws {
    chapter("The same, written back", "The packet goes on behind rule 100, as if nothing had happened.")
    var socket = try DivertSocket(port: 2000, on: b)
    let writer = socket.writer
    try ping("192.0.2.2", sequence: 2)
    var batch = try socket.read(timeout: .zero)
    while let packet = batch.next() { say("  program  \(packet.line)\n") }
    writer.reinject(batch)
    sayAnswers()
  }

  private func rewrite() throws {
    chapter("A message from A to C", "B forwards it. On its way in, a program changes what it says.")
    try ipfw("add 200 divert 2001 udp from any to any 4000 in")
    var socket = try DivertSocket(port: 2001, on: b)
    let writer = socket.writer
    try sendMessage("the answer is 41")
    var batch = try socket.read(timeout: .zero)
    while var packet = batch.next() {
      say("  program  \(packet.line)\n")
      var bytes = packet.mutableBytes
      bytes.storeBytes(of: UInt8(ascii: "2"), toByteOffset: bytes.byteCount - 1, as: UInt8.self)
      Checksum.updateTransport(of: &bytes)
    }
    writer.reinject(batch)
    for message in c.takeReceived() { say("  C reads  \"\(Self.text(message))\"\n") }
  }

  private func watch() throws {
    chapter("The same, watched", "tee copies what B sends on; the packets do not wait for the program.")
    try ipfw("delete 200")
    try ipfw("add 300 tee 2002 ip from any to any out")
    var socket = try DivertSocket(port: 2002, on: b)
    try sendMessage("nobody touches this")
    for message in c.takeReceived() { say("  C reads  \"\(Self.text(message))\"\n") }
    var batch = try socket.read(timeout: .zero)
    while let packet = batch.next() { say("  program  \(packet.line)\n") }
  }

  // MARK: What they are made of

  private func chapter(_ title: String, _ text: String) { say("\n\(title)\n\(text)\n\n") }

  private func ipfw(_ command: String) throws {
    say("  B# ipfw \(command)\n")
    for line in try b.ipfw(command).split(separator: "\n") { say("  \(line)\n") }
  }

  private func ping(_ destination: String, sequence: UInt16) throws {
    say("  A$ ping \(destination)\n")
    try a.send(SimulatedPacket.echoRequest(from: "192.0.2.1", to: destination, sequence: sequence))
  }

  private func sayAnswers() {
    let answers = a.takeReceived()
    if answers.isEmpty { say("  A        no answer\n") }
    for answer in answers { say("  A reads  \(Self.summary(answer))\n") }
  }

  private func sendMessage(_ text: String) throws {
    say("  A$ echo \"\(text)\" | nc -u 198.51.100.2 4000\n")
    try a.send(
      SimulatedPacket.udp(
        from: "192.0.2.1", port: 40_000, to: "198.51.100.2", port: 4000, payload: Array(text.utf8)))
  }

  private static func text(_ packet: [UInt8]) -> String {
    String(decoding: packet.dropFirst(28), as: UTF8.self)
  }

  private static func summary(_ packet: [UInt8]) -> String {
    unsafe PacketSummary.summary(of: packet.span.bytes)
  }
}
