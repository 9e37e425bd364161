import DivertEngine
import DivertWire
import Firewall
import Glibc
import Kernel
import LinuxHost

/// One thread that waits for whatever happens: control messages, upcalls, interfaces that change, signals, time.
struct Daemon: ~Copyable {
  private let host: LinuxHost
  /// At the socket's path, and by the same as an abstract name (unless somebody has taken that), for programs in a root
  /// directory of their own.
  private let listeners: [SharedDescriptor]
  private let socketPath: String
  private let rulesFile: String?
  private let defaultAction: Action
  private let signals: SignalDescriptor
  private let interfaceChanges: NetlinkSocket
  private var clients: [ControlClient] = []
  private var isRunning = true
  private var lastLook = ContinuousClock.now

  /// Everything is in force when this returns; only then the control socket appears.
  init(
    socketPath: String, rulesFile: String?, defaultAction: Action, passingPorts: Set<UInt16>
  ) throws {
    // A stop that comes while hooks are put in place waits until they can be taken away.
    let signals = try SignalDescriptor([SIGTERM, SIGINT, SIGHUP])
    let ruleSet = try Self.load(rulesFile, defaultAction)
    // RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR
    let interfaceChanges = try NetlinkSocket(protocolNumber: 0, groups: 1 | 0x10 | 0x100)
    let host = try LinuxHost(
      ruleSet, passingPorts: passingPorts, settingsFile: "\(socketPath).state")
    // First the one that nobody waits for: with the path, everything is there.
    var listeners: [SharedDescriptor] = []
    if let abstract = try UnixSocket.listen(atAbstractName: socketPath) {
      listeners.append(SharedDescriptor(abstract))
    }
    listeners.append(SharedDescriptor(try UnixSocket.listen(at: socketPath)))
    self.host = host
    self.listeners = listeners
    self.socketPath = socketPath
    self.rulesFile = rulesFile
    self.defaultAction = defaultAction
    self.signals = signals
    self.interfaceChanges = interfaceChanges
  }

  private static func load(_ file: String?, _ defaultAction: Action) throws -> RuleSet {
    let empty = RuleSet(default: defaultAction)
    guard let file else { return empty }
    let text: String
    do throws(RuleError) { text = try TextFile.read(file) } catch {
      throw RulesFileError(description: error.text, status: error.status)
    }
    do throws(RuleError) { return try RuleFile.load(text: text, into: empty) } catch {
      throw RulesFileError(description: "\(file): \(error.text)", status: error.status)
    }
  }

  /// Serves until a signal or the deadline ends it, then takes everything back.
  mutating func run(until deadline: ContinuousClock.Instant?) throws {
    while isRunning {
      var waiting = PollSet()
      for listener in listeners { waiting.add(listener.number) }
      waiting.add(signals.descriptor.number)
      waiting.add(interfaceChanges.descriptor.number)
      waiting.add(host.upcallSocket.number)
      for client in clients { waiting.add(client.descriptor.number, writing: client.waitsForRoom) }
      try waiting.wait(milliseconds: timeout(until: deadline))

      if let deadline, ContinuousClock.now >= deadline { isRunning = false }
      while let signal = signals.next() { handle(signal: signal) }
      if waiting.isReadable(interfaceChanges.descriptor.number) { followInterfaces() }
      if waiting.isReadable(host.upcallSocket.number) { host.handleUpcalls() }
      if host.nextFragmentExpiry == 0 { host.expireFragments() }
      for listener in listeners where waiting.isReadable(listener.number) {
        while let connection = UnixSocket.accept(on: listener.number) {
          // More than anybody needs: the rest is hung up on, so that descriptors are left for ports and interfaces.
          guard clients.count < 1024 else { continue }
          if let client = ControlClient(connection) { clients.append(client) }
        }
      }
      let count = clients.count
      clients = clients.filter { client in
        if waiting.isWritable(client.descriptor.number), !client.flush() { return false }
        return !waiting.isReadable(client.descriptor.number) || serve(client)
      }
      // A program that has hung up may have left its port; of one that has handed on its socket nobody tells.
      if clients.count < count || ContinuousClock.now >= lastLook + .seconds(1) {
        host.releaseDeadSockets()
        lastLook = .now
      }
    }
    _ = unsafe unlink(socketPath)
    host.shutDown()
  }

  /// While there are sockets, their end is looked for once a second: nobody tells of it.
  private func timeout(until deadline: ContinuousClock.Instant?) -> CInt {
    let usual = min(host.hasSockets ? 1000 : CInt.max, fragmentTimeout)
    guard let deadline else { return usual == .max ? -1 : usual }
    let (seconds, attoseconds) = ContinuousClock.now.duration(to: deadline).components
    let left = CInt(clamping: max(0, seconds * 1000 + attoseconds / 1_000_000_000_000_000 + 1))
    return min(usual, left)
  }

  private var fragmentTimeout: CInt {
    host.nextFragmentExpiry.map { CInt(clamping: $0 / 1_000_000 + 1) } ?? .max
  }

  // MARK: Events

  private mutating func handle(signal: CInt) {
    guard signal == SIGHUP else {
      isRunning = false
      return
    }
    guard let rulesFile else {
      return complain("SIGHUP: there is no rules file to read; start divertd with --rules")
    }
    do {
      try host.enforce(Self.load(rulesFile, defaultAction))
    } catch {
      complain("\(error); the rules in force stay as they were")
    }
  }

  private func followInterfaces() {
    interfaceChanges.drain()
    do {
      try host.refreshInterfaces()
    } catch {
      complain("follow the interfaces: \(error)")
    }
  }

  /// - Returns: Whether the connection goes on.
  private func serve(_ client: ControlClient) -> Bool {
    guard client.read() else { return false }
    do throws(ControlMessageError) {
      while let message = try client.nextMessage() {
        guard answer(message, client) else { return false }
      }
      return true
    } catch {
      return false
    }
  }

  private func answer(_ message: ControlMessage, _ client: ControlClient) -> Bool {
    do throws(SystemError) {
      switch message {
      case .open:
        guard client.credentials.user == 0 else {
          throw SystemError("open a divert socket", code: EPERM, advice: "run the program as root")
        }
        let (number, link) = try host.openSocket()
        let socket = Descriptor(owning: number)
        return client.send(.opened(link: link), descriptor: socket.number)
      case .bind(let port):
        guard port == 0 || port >= 1024 || client.credentials.user == 0 else {
          throw SystemError(
            "bind divert port \(port)", code: EACCES, advice: "ports below 1024 are the superuser's")
        }
        let socket = try client.takeSocket("bind divert port \(port)")
        let (bound, link) = try host.bind(socket, port: port)
        return client.send(.bound(port: bound, link: link))
      case .ipfw(let words):
        let result = ipfw(words, client)
        return client.send(.result(status: result.status, output: result.output, errors: result.errors))
      case .counts:
        let socket = try client.takeSocket("count a socket's packets")
        let (slot, number) = try host.counts(of: socket)
        let counts = Descriptor(owning: number)
        return client.send(.counted(slot: slot), descriptor: counts.number)
      case .options(let options):
        let socket = try client.takeSocket("set a divert socket's options")
        try host.setOptions(options, of: socket)
        return client.send(.done)
      case .statistics:
        guard client.credentials.user == 0 else {
          throw SystemError("read divertd's statistics", code: EPERM, advice: "run the program as root")
        }
        return client.send(.told(try host.statistics()))
      case .policy(let port, let policy):
        try setPolicy(policy, ofPort: port, client)
        return client.send(.done)
      case .release:
        let socket = try client.takeSocket("release a divert port")
        try host.release(socket)
        return client.send(.done)
      case .opened, .bound, .counted, .done, .told, .result, .failed:
        return false
      }
    } catch {
      let text = error.advice.map { "\(error.action); \($0)" } ?? error.action
      return client.send(.failed(code: error.code, text: text))
    }
  }

  private func setPolicy(
    _ policy: UnboundPolicy, ofPort port: UInt16, _ client: ControlClient
  ) throws(SystemError) {
    let action = "set the policy of divert port \(port)"
    guard client.credentials.user == 0 else {
      throw SystemError(action, code: EPERM, advice: "run the program as root")
    }
    guard port != 0 else { throw SystemError(action, code: EINVAL, advice: "ports are 1 to 65535") }
    do throws(HostError) {
      try host.setPolicy(policy, ofPort: port)
    } catch {
      complain("\(action): \(error)")
      throw SystemError(
        action, code: error.code, advice: "the kernel did not take the rules; see divertd's log")
    }
  }

  private func ipfw(_ words: [String], _ client: ControlClient) -> CommandResult {
    guard client.credentials.user == 0 else {
      return CommandResult(errors: "ipfw: socket: Operation not permitted; run it as root\n", status: 69)
    }
    do throws(RuleError) {
      let call = try IpfwInvocation(words)
      var rules = EnforcedRules(host: host)
      return call.execute(on: &rules)
    } catch {
      return CommandResult(error)
    }
  }
}

/// The rules in the kernel, for the commands to work on.
private struct EnforcedRules: FirewallBackend {
  let host: LinuxHost
  var ruleSet: RuleSet { host.engine.ruleSet }

  mutating func replaceRules(with ruleSet: RuleSet) throws(RuleError) {
    do throws(HostError) {
      try host.enforce(ruleSet)
    } catch {
      throw RuleError("the kernel did not take the rules: \(error)", .unavailable)
    }
  }

  func counter(_ slot: Int) -> RuleCounters.Counter { host.counter(slot: slot) }
  mutating func clearCounter(_ slot: Int) { host.clearCounter(slot: slot) }
}

/// A file of rules that is not to be enforced.
struct RulesFileError: Error, CustomStringConvertible {
  let description: String
  let status: RuleError.Status
}

/// One line for whoever looks at the log.
func complain(_ text: String) {
  let line = Array("divertd: \(text)\n".utf8)
  _ = unsafe line.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
}
