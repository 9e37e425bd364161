import ArgumentParser
import Divert
import Firewall
import Glibc
import Kernel
import LinuxHost

@main
struct Divertd: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "divertd",
    abstract: "Diverts packets to programs by ipfw rules.",
    discussion: """
      Puts the rules in force on every interface of this network namespace and hands divert sockets to programs. Without \
      --foreground it starts itself anew in the background and returns when everything is in place. SIGHUP reads the \
      rules file again; SIGTERM ends it and leaves no trace.
      """,
    version: divertVersion)

  @Flag(help: "Stay in the foreground and report on standard error.")
  var foreground = false

  @Option(help: "Rules to begin with, a line each, as behind `ipfw`; enforced whole or not at all.")
  var rules: String?

  @Option(name: .customLong("default"), help: "What rule 65535 does: allow or deny.")
  var defaultAction = DefaultAction.allow

  @Option(
    help: ArgumentHelp(
      "Let packets pass that rules divert to this port while nobody has bound it. May be given several times.",
      valueName: "port"))
  var passUnbound: [UInt16] = []

  @Option(
    name: .customLong("for"),
    help: "End by itself after so many seconds: for work over a line that rules might cut.")
  var seconds: UInt32?

  @Option(help: "Where to listen for control messages (DIVERT_SOCKET, else \(ControlConnection.usualPath)).")
  var socket: String?

  @Option(help: .hidden)
  var readyDescriptor: Int32?

  enum DefaultAction: String, ExpressibleByArgument { case allow, deny }

  func validate() throws {
    if passUnbound.contains(0) { throw ValidationError("--pass-unbound wants a port, 1 to 65535") }
  }

  func run() throws {
    guard geteuid() == 0 else {
      throw fail("start divertd: Operation not permitted; run it as root", exit: 77)
    }
    guard foreground || readyDescriptor != nil else { return try Background.start(CommandLine.arguments) }
    raiseDescriptorLimit()
    do {
      var daemon = try Daemon(
        socketPath: socket ?? ControlConnection.path, rulesFile: rules,
        defaultAction: defaultAction == .allow ? .allow : .deny, passingPorts: Set(passUnbound))
      let deadline = seconds.map { ContinuousClock.now + .seconds(Int64($0)) }
      if let readyDescriptor { Background.tellReady(readyDescriptor) }
      try daemon.run(until: deadline)
    } catch let error as RulesFileError {
      throw fail(error.description, exit: error.status.rawValue)
    } catch let error as HostError {
      throw fail(error.description, exit: error.code == EPERM ? 77 : 69)
    } catch let error as SystemError {
      throw fail(error.description, exit: error.code == EPERM ? 77 : 69)
    }
  }

  private func fail(_ text: String, exit status: Int32) -> ExitCode {
    complain(text)
    return ExitCode(status)
  }

  /// Every port and every interface takes two descriptors.
  private func raiseDescriptorLimit() {
    var limit = rlimit()
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard unsafe getrlimit(resource, &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    _ = unsafe setrlimit(resource, &limit)
  }
}
