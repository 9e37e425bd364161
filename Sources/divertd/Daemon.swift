import DivertEngine
import DivertWire
import Firewall
import Glibc
import Kernel
import LinuxHost

/// One thread that waits for all that happens: control messages, upcalls, interfaces that change, signals, time. What takes
/// long, others do: changes of rules (``RuleChanges``), and closing what is not divertd's own (``Closer``).
struct Daemon: ~Copyable {
  let host: LinuxHost
  let ruleChanges: RuleChanges
  private let server: ControlServer
  private let rulesFile: String?
  private let defaultAction: Action
  private let signals: SignalDescriptor
  private let interfaceChanges: NetlinkSocket
  private let wakeUp: WakeUp
  private var isRunning = true
  /// At the deadline nothing stays, whatever was to stay.
  private var isOver = false
  private var lastLook = ContinuousClock.now

  /// Everything is in force when this returns; only then the control socket appears.
  init(
    socketPath: String, rulesFile: String?, defaultAction: Action?, passingPorts: Set<UInt16>, pins: String,
    failClosed: Bool
  ) throws {
    // A stop that comes while hooks are put in place waits until they can be taken away.
    let signals = try SignalDescriptor([SIGTERM, SIGINT, SIGHUP])
    if !failClosed, KeptHost.isEnforced(below: pins) {
      throw SystemError(
        "start divertd", code: EADDRINUSE,
        advice: "the rules of an earlier `divertd --fail-closed` are in force; "
          + "take them over with --fail-closed, or end them with `divertd --stop`")
    }
    let kept = failClosed ? try KeptHost(below: pins, socket: socketPath) : nil
    let earlier = rulesFile == nil ? kept?.earlier : nil
    let ruleSet = try earlier?.rules(default: defaultAction) ?? .load(rulesFile, defaultAction ?? .allow)
    // RTMGRP_LINK, and for each version of IP RTMGRP_…_IFADDR and RTMGRP_…_ROUTE
    let interfaceChanges = try NetlinkSocket(protocolNumber: 0, groups: 1 | 0x10 | 0x100 | 0x40 | 0x400)
    try interfaceChanges.passOverForwardingRoutes()
    let wakeUp = try WakeUp()
    let host = try LinuxHost(
      ruleSet, passingPorts: passingPorts.union(earlier?.passingPorts ?? []),
      settingsFile: "\(socketPath).state", kept: kept)
    server = try ControlServer(path: socketPath, wakeUp: wakeUp)
    self.host = host
    ruleChanges = RuleChanges(wakeUp: wakeUp)
    (self.rulesFile, self.defaultAction, self.wakeUp) = (rulesFile, defaultAction ?? .allow, wakeUp)
    self.signals = signals
    self.interfaceChanges = interfaceChanges
  }

  /// Serves until a signal or the deadline ends it, then takes everything back.
  mutating func run(until deadline: ContinuousClock.Instant?) throws {
    while isRunning {
      var waiting = PollSet()
      waiting.add(signals.descriptor.number)
      waiting.add(interfaceChanges.descriptor.number)
      waiting.add(host.upcallSocket.number)
      waiting.add(wakeUp.descriptor.number)
      server.add(to: &waiting)
      try waiting.wait(milliseconds: timeout(until: deadline))

      if let deadline, ContinuousClock.now >= deadline {
        isRunning = false
        isOver = true
      }
      while let signal = signals.next() { handle(signal: signal) }
      if waiting.isReadable(interfaceChanges.descriptor.number) { followInterfaces() }
      if waiting.isReadable(host.upcallSocket.number) { host.handleUpcalls() }
      if host.nextFragmentExpiry == 0 { host.expireFragments() }
      wakeUp.clear()
      ruleChanges.serve(host)
      servePrograms(waiting)
    }
    server.end()
    if isOver {
      host.shutDown()
    } else {
      host.leave()
      if host.staysInForce { complain("the rules stay in force; `divertd --stop` ends them") }
    }
  }

  private mutating func servePrograms(_ waiting: PollSet) {
    server.accept(waiting)
    let answers = Dictionary(ruleChanges.takeAnswers().map { ($0.client, $0.1) }) { first, _ in first }
    let haveEnded = server.hangUp { client in
      if let answer = answers[client.identifier] {
        client.waitsForAnswer = false
        guard client.send(answer) else { return false }
      }
      if waiting.isWritable(client.number), client.waitsForRoom, !client.flush() { return false }
      return !waiting.isReadable(client.number) || serve(client)
    }
    let wereOverdue = server.hangUpOnOverdue()
    // A program that has hung up may have left its port; of one that has handed on its socket nothing tells.
    if haveEnded || wereOverdue || ContinuousClock.now >= lastLook + .seconds(1) {
      host.releaseDeadSockets()
      if host.mustFollowAgain { followInterfaces() }
      lastLook = .now
    }
  }

  /// While there are sockets, their end is looked for once a second, since no event reports it; so is an interface whose
  /// hooks could not be attached.
  private func timeout(until deadline: ContinuousClock.Instant?) -> CInt {
    let usual = min(host.hasSockets || host.mustFollowAgain ? 1000 : CInt.max, fragmentTimeout)
    guard let next = [deadline, server.deadline].compactMap({ $0 }).min() else {
      return usual == .max ? -1 : usual
    }
    let (seconds, attoseconds) = ContinuousClock.now.duration(to: next).components
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
    ruleChanges.load(rulesFile, defaultAction)
  }

  private func followInterfaces() {
    interfaceChanges.drain()
    for line in host.followInterfaces() { complain(line) }
    if host.mustRenewPrograms { ruleChanges.renew() }
  }
}

/// One line for whoever looks at the log.
func complain(_ text: String) {
  let line = Array("divertd: \(text)\n".utf8)
  _ = unsafe line.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
}
