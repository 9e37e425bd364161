import ArgumentParser
import Divert

struct PassCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pass", abstract: "Writes every packet back as it came.")

  @OptionGroup var options: PortOptions

  func run() throws {
    try options.run(drains: true) { (loop) throws(SystemError) in
      let writer = loop.writer
      while let batch = try loop.next() { writer.reinject(batch) }
    }
  }
}

struct DropCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "drop", abstract: "Reads every packet and writes nothing back.")

  @OptionGroup var options: PortOptions

  func run() throws {
    try options.run { (loop) throws(SystemError) in
      while let batch = try loop.next() { _ = batch.count }
    }
  }
}

struct DumpCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dump", abstract: "Prints a line for every packet.",
    discussion: """
      Direction, tag (the number of the rule that diverted), interface, then the packet. A packet that was diverted and \
      is not written back is dropped; use --pass, or a rule with tee.
      """)

  @OptionGroup var options: PortOptions

  @Flag(help: "Write the packets back.")
  var pass = false

  func run() throws {
    try options.run(drains: pass) { (loop) throws(SystemError) in try Self.dump(&loop, pass: pass, to: say) }
  }

  /// - Parameter say: Gets the lines of a batch, each with its end.
  static func dump(_ loop: inout PortLoop, pass: Bool, to say: (String) -> Void) throws(SystemError) {
    let writer = loop.writer
    while var batch = try loop.next() {
      var lines = ""
      while let packet = batch.next() { lines += packet.line + "\n" }
      say(lines)
      if pass { writer.reinject(batch) }
    }
  }
}

extension DivertedPacket {
  /// `in  em0 tag 100  192.0.2.1 > 192.0.2.2: ICMP echo request, id 1, seq 1, length 8`
  var line: String {
    let way = direction == .incoming ? "in " : "out"
    let interface = interfaceIndex == 0 ? "-" : interfaceName ?? "#\(interfaceIndex)"
    return "\(way) \(interface) \(isTee ? "tee" : "tag") \(tag)  \(PacketSummary.summary(of: bytes))"
  }
}
