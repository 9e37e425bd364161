import ArgumentParser
import Firewall
import SimulatedHost

struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay", abstract: "Tells what rules would do with the packets of a capture.",
    discussion: """
      Needs neither root nor divertd. Every IP packet of the capture (pcap or pcapng; `-` is standard input) makes one \
      pass through the rules: it is received on an interface (--in), or leaves on one (--out); without either it is \
      received on the first --interface, and without that on em0. Its time is that of the capture. Nothing is \
      reassembled, and nothing is dropped but by a rule.

      Rules are a line each, as behind `ipfw`. What is diverted to a port for which no --port is given is not written \
      back. Exit status: 0, also after Ctrl-C, and for a file that is cut short; 64 wrong usage; 65 bad rules, or a bad \
      capture; 66 a file that cannot be read; 68 a host in the rules that nobody knows; 69 a word in the rules that is \
      not supported yet; 73 a file that cannot be made; 71 another failure.
      """)

  @Option(help: ArgumentHelp("The rules, a command of ipfw on each line.", valueName: "file"))
  var rules: String

  @Option(
    name: .customLong("in"), help: ArgumentHelp("Packets are received on this interface.", valueName: "if"))
  var incoming: String?

  @Option(
    name: .customLong("out"),
    help: ArgumentHelp("Packets leave on this interface and have been received nowhere.", valueName: "if"))
  var outgoing: String?

  @Option(
    help: ArgumentHelp(
      "An interface of the host, for `me` and the like.", valueName: "name=addr/len[,addr/len…]"))
  var interface: [InterfaceOption] = []

  @Option(name: .customLong("default"), help: "What rule 65535 does: allow or deny.")
  var defaultAction = DefaultAction.allow

  @Option(
    help: ArgumentHelp(
      "A program behind a port: it writes everything back, or nothing.", valueName: "p=pass|drop"))
  var port: [PortOption] = []

  @Flag(help: "Print what the rules said about each packet, a line each, instead of a summary.")
  var verdicts = false

  @Option(help: ArgumentHelp("Write the packets that passed to a pcapng file.", valueName: "file"))
  var write: String?

  @Argument(help: ArgumentHelp("The capture.", valueName: "capture"))
  var capture: String

  enum DefaultAction: String, ExpressibleByArgument { case allow, deny }

  func run() throws {
    do throws(ReplayError) {
      try replayCapture()
    } catch {
      complain("divert: \(error.text)")
      throw ExitCode(error.status)
    }
  }

  var way: Replay.Way {
    get throws(ReplayError) {
      switch (incoming, outgoing) {
      case (_?, _?): throw ReplayError("--in and --out: a packet makes one pass; give one of them", 64)
      case (let name?, nil): .incoming(on: name)
      case (nil, let name?): .outgoing(on: name)
      case (nil, nil): .incoming(on: interface.first?.name ?? "em0")
      }
    }
  }
}

/// `em0=192.0.2.1/24,2001:db8::1/64`
struct InterfaceOption: ExpressibleByArgument {
  let name: String
  let addresses: [String]

  init?(argument: String) {
    let parts = argument.split(separator: "=", maxSplits: 1)
    guard let name = parts.first, !argument.hasPrefix("=") else { return nil }
    self.name = String(name)
    addresses = parts.count == 2 ? parts[1].split(separator: ",").map(String.init) : []
  }
}

/// `5000=pass`
struct PortOption: ExpressibleByArgument {
  let port: UInt16
  let writesBack: Bool

  init?(argument: String) {
    let parts = argument.split(separator: "=", maxSplits: 1)
    guard parts.count == 2, let port = UInt16(parts[0]), port > 0, ["pass", "drop"].contains(parts[1]) else {
      return nil
    }
    self.port = port
    writesBack = parts[1] == "pass"
  }
}

/// Why a replay cannot be, or not go on, with the exit status (sysexits(3)).
struct ReplayError: Error, Equatable {
  let text: String
  let status: Int32

  init(_ text: String, _ status: Int32) { (self.text, self.status) = (text, status) }
}
