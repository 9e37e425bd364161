import Divert

/// The tour: ping diverted, a payload rewritten, a copy by tee, what the rules have counted.
struct Demo<Stage: DemoStage> {
  let stage: Stage
  let say: (String) -> Void

  init(on stage: Stage, say: @escaping (String) -> Void) {
    self.stage = stage
    self.say = say
  }

  func run() throws {
    say(
      """
      \(stage.setting)
      Rules in B divert packets to programs; a program reads them, and writes back what is to go on.

        A ──────────────── B ──────────────── C
        192.0.2.1          192.0.2.2          198.51.100.2
                           198.51.100.1

      """)
    try eatPings()
    try passPings()
    try rewrite()
    try watch()
    say("\nWhat B's rules have counted: number, packets, bytes, rule.\n\n")
    try ipfw("show")
    say("\n\(stage.farewell)\n")
  }

  // MARK: The stations

  private func eatPings() throws {
    chapter(
      "A pings B",
      "A rule diverts echo requests to port 2000. The program there reads, and writes nothing back.")
    try ipfw("add 100 divert 2000 icmp from any to any in icmptypes 8")
    var socket = try DivertSocket(port: 2000, on: stage.host)
    try startPing(sequence: 1)
    var batch = try read(&socket)
    tell(&batch)
    try sayPingResult()
  }

  private func passPings() throws {
    chapter("The same, written back", "The packet goes on behind rule 100, as if nothing had happened.")
    var socket = try DivertSocket(port: 2000, on: stage.host)
    let writer = socket.writer
    try startPing(sequence: 2)
    var batch = try read(&socket)
    tell(&batch)
    writer.reinject(batch)
    try sayPingResult()
  }

  private func rewrite() throws {
    chapter("A message from A to C", "B forwards it. On its way in, a program changes what it says.")
    try ipfw("add 200 divert 2001 udp from any to any 4000 in")
    var socket = try DivertSocket(port: 2001, on: stage.host)
    let writer = socket.writer
    try send("the answer is 41")
    var batch = try read(&socket)
    while var packet = batch.next() {
      say("  program  \(packet.line)\n")
      var bytes = packet.mutableBytes
      bytes.storeBytes(of: UInt8(ascii: "2"), toByteOffset: bytes.byteCount - 1, as: UInt8.self)
      Checksum.updateTransport(of: &bytes)
    }
    writer.reinject(batch)
    try sayReceived()
  }

  private func watch() throws {
    chapter("The same, watched", "tee copies what B sends on; the packets do not wait for the program.")
    try ipfw("delete 200")
    try ipfw("add 300 tee 2002 udp from any to any out")
    var socket = try DivertSocket(port: 2002, on: stage.host)
    try send("nobody touches this")
    try sayReceived()
    var batch = try read(&socket)
    tell(&batch)
  }

  // MARK: What they are made of

  private func chapter(_ title: String, _ text: String) { say("\n\(title)\n\(text)\n\n") }

  private func ipfw(_ command: String) throws {
    say("  B# ipfw \(command)\n")
    for line in try stage.ipfw(command).split(separator: "\n") { say("  \(line)\n") }
  }

  private func startPing(sequence: UInt16) throws {
    say("  A$ ping -c 1 \(Stage.addressOfB)\n")
    try stage.startPing(sequence: sequence)
  }

  private func sayPingResult() throws {
    for line in try stage.pingResult() { say("  A sees   \(line)\n") }
  }

  private func send(_ message: String) throws {
    say("  A sends  \"\(message)\" to \(Stage.addressOfC), UDP port \(Stage.portOfC)\n")
    try stage.send(message)
  }

  private func sayReceived() throws {
    guard let message = try stage.receive() else {
      throw DemoFailure("C has received no message within \(stage.patience)")
    }
    say("  C reads  \"\(message)\"\n")
  }

  @_lifetime(&socket)
  private func read(_ socket: inout DivertSocket) throws -> PacketBatch {
    let port = socket.port
    let batch = try socket.read(timeout: stage.patience)
    guard batch.count > 0 else {
      throw DemoFailure("no packet has come to port \(port) within \(stage.patience)")
    }
    return batch
  }

  private func tell(_ batch: inout PacketBatch) {
    while let packet = batch.next() { say("  program  \(packet.line)\n") }
  }
}
