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
      rules file again; SIGTERM ends it and leaves no trace, or with --fail-closed all that it enforces.
      """,
    version: divertVersion)

  @Flag(help: "Stay in the foreground and report on standard error.")
  var foreground = false

  @Option(help: "Rules to begin with, a line each, as behind `ipfw`; enforced whole or not at all.")
  var rules: String?

  @Option(name: .customLong("default"), help: "What rule 65535 does: allow (the default) or deny.")
  var defaultAction: DefaultAction?

  @Option(
    help: ArgumentHelp(
      "Let packets pass that rules divert to this port while nobody has bound it. May be given several times.",
      valueName: "port"))
  var passUnbound: [UInt16] = []

  @Option(
    name: .customLong("for"),
    help: "End by itself after so many seconds: for work over a line that rules might cut.")
  var seconds: UInt32?

  @Flag(
    help: ArgumentHelp(
      "Enforce the rules without divertd, too, however it ends, until another one takes over or --stop ends it all."
    ))
  var failClosed = false

  @Flag(help: "End divertd and all that is enforced without it, and return when it is gone.")
  var stop = false

  @Option(
    help: ArgumentHelp(
      "Where --fail-closed pins what it keeps, in a directory for each network namespace; on a bpf file system.",
      valueName: "directory"))
  var pins = KeptHost.usualRoot

  @Option(help: "Where to listen for control messages (DIVERT_SOCKET, else \(ControlConnection.usualPath)).")
  var socket: String?

  @Option(help: .hidden)
  var readyDescriptor: Int32?

  enum DefaultAction: String, ExpressibleByArgument { case allow, deny }

  func validate() throws {
    if stop, failClosed || foreground || rules != nil || seconds != nil {
      throw ValidationError("--stop starts nothing: only --socket and --pins go with it")
    }
    if passUnbound.contains(0) { throw ValidationError("--pass-unbound wants a port, 1 to 65535") }
  }

  func run() throws {
    guard geteuid() == 0 else {
      throw fail("start divertd: Operation not permitted; run it as root", exit: 77)
    }
    if stop { return try stopAll() }
    guard foreground || readyDescriptor != nil else { return try Background.start(CommandLine.arguments) }
    raiseDescriptorLimit()
    do {
      var daemon = try Daemon(
        socketPath: path, rulesFile: rules,
        defaultAction: defaultAction.map { $0 == .allow ? .allow : .deny },
        passingPorts: Set(passUnbound), pins: pins, failClosed: failClosed)
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

  private var path: String { socket ?? ControlConnection.path }

  private func stopAll() throws {
    do throws(SystemError) {
      try Stopping.stop(socket: path, pins: pins)
    } catch {
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
