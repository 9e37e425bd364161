import ArgumentParser
import Divert
import DivertWire
import Glibc
import Kernel

struct StatCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stat", abstract: "Tells who has which port, and what has happened.",
    discussion: """
      For each divert port: its policy (what happens while nobody has it), the packets that divert and the copies that \
      tee gave to the socket, how much of its receive buffer is taken, packets for which it was full, packets written \
      back in and out, those refused, by their errno, and the programs that have it. Then what has happened on the host \
      since divertd was started, by sockets that are gone, too.
      """)

  @Argument(help: "Only this divert port.")
  var port: UInt16?

  @Option(
    defaultAsFlag: 1,
    help: ArgumentHelp(
      "Tell it again and again, with what has been added each second, until Ctrl-C: every second, or as often as said.",
      valueName: "seconds"))
  var watch: Double?

  @OptionGroup var daemon: DaemonOptions

  func validate() throws {
    if port == 0 { throw ValidationError("port 0 is none: ports are 1 to 65535") }
    if let watch, !(watch >= 0.01 && watch <= 1e6) {
      throw ValidationError("--watch wants a number of seconds, at least 0.01")
    }
  }

  func run() throws {
    try daemon.ask { (control) throws(SystemError) in
      guard let watch else { return say(try Self.look(&control, port).text) }
      let signals = try SignalDescriptor([SIGINT, SIGTERM])
      let isTerminal = isatty(STDOUT_FILENO) == 1
      var report = try Self.look(&control, port)
      while true {
        // On a terminal in the place of the last one (ECMA-48: cursor home, erase to the end).
        say(isTerminal ? "\u{1b}[H\u{1b}[J\(report.text)" : report.text)
        if try Self.isEnded(by: signals, within: .seconds(watch)) { return }
        let next = try Self.look(&control, port)
        report = next.following(report)
        if !isTerminal { say("\n") }
      }
    }
  }

  private static func look(
    _ control: inout ControlConnection, _ port: UInt16?
  ) throws(SystemError) -> StatReport {
    guard case .told(let statistics) = try control.ask(.statistics) else {
      throw SystemError("read divertd's statistics", code: EPROTO)
    }
    let bound = statistics.bound.filter { port == nil || $0.port == port }
    return StatReport(
      statistics, port: port, owners: SocketOwners(of: Set(bound.map(\.inode))), time: .now)
  }

  private static func isEnded(
    by signals: borrowing SignalDescriptor, within time: Duration
  ) throws(SystemError) -> Bool {
    let deadline = ContinuousClock.now + time
    var events = PollSet()
    events.add(signals.descriptor.number)
    while true {
      let left = max(.zero, ContinuousClock.now.duration(to: deadline))
      try events.wait(milliseconds: CInt(clamping: Int64((left / .milliseconds(1)).rounded(.up))))
      if signals.next() != nil { return true }
      if ContinuousClock.now >= deadline { return false }
    }
  }
}
