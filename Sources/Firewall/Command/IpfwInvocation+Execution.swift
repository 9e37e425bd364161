extension IpfwInvocation {
  /// Does what the call says. The rules are replaced once, at the end; if a line of a file is wrong, the
  /// lines before it count, except with `--atomic`.
  package func execute(on backend: inout some FirewallBackend, names: Names = .system) -> CommandResult {
    var run = IpfwRun(ruleSet: backend.ruleSet, names: names)
    do throws(RuleError) {
      try run.perform(self, &backend)
    } catch {
      run.fail(error)
    }
    if flags.isAtomic && run.result.status != 0 {
      // nothing of it is in force, so what was said on the way is not true either
      return CommandResult(errors: run.result.errors, status: run.result.status)
    }
    if run.isChanged {
      do throws(RuleError) {
        try backend.replaceRules(with: run.ruleSet)
      } catch {
        return CommandResult(error)  // nothing is in force, so nothing of what was said is true
      }
    }
    for slot in run.fresh.union(run.cleared).sorted() { backend.clearCounter(slot) }
    return run.result
  }
}

extension IpfwInvocation {
  /// What is wrong with a command whatever the rules are, as far as its first word, or a rule to add, tells.
  package var misuse: CommandResult? {
    guard case .command(let words) = job else { return nil }
    if let line = try? ParsedCommand(words), line.command != .add { return nil }
    var test = self
    test.flags.isTest = true
    var nowhere = DetachedRules(RuleSet(default: .allow))
    let result = test.execute(on: &nowhere)
    return result.status == 0 ? nil : result
  }
}

/// The state of a run: rules on their way to become the backend's.
struct IpfwRun {
  var ruleSet: RuleSet
  let names: Names
  /// Slots of rules that the backend has not seen: what it counted there was another rule's.
  var fresh: Set<Int> = []
  /// Slots whose counters are to begin anew, at the end of the run.
  var cleared: Set<Int> = []
  var isChanged = false
  var result = CommandResult()
  /// What messages begin with: `ipfw`, or `Line N` in a file.
  var program = "ipfw"

  init(ruleSet: RuleSet, names: Names) {
    self.ruleSet = ruleSet
    self.names = names
  }

  mutating func perform(_ call: IpfwInvocation, _ backend: inout some FirewallBackend) throws(RuleError) {
    if call.flags.asksForHelp { return say(IpfwFlags.help) }
    if call.flags.asksForVersion { return say("ipfw (Divert) \(divertVersion)\n") }
    switch call.job {
    case .command(let words):
      try perform(words, call.flags, &backend)
    case .lines(let lines):
      for (index, line) in lines.enumerated() {
        program = "Line \(index + 1)"
        guard var single = try Self.call(line) else { continue }
        single.flags.isForced = single.flags.isForced || call.flags.isForced
        single.flags.isQuiet = single.flags.isQuiet || call.flags.isQuiet
        single.flags.isTest = single.flags.isTest || call.flags.isTest
        single.flags.isCompact = single.flags.isCompact || call.flags.isCompact
        single.flags.showsServices = single.flags.showsServices || call.flags.showsServices
        single.flags.showsSets = single.flags.showsSets || call.flags.showsSets
        try perform(single, &backend)
        guard result.status == 0 else { return }
      }
    case .file(let path, let preprocessor):
      guard preprocessor.isEmpty else { throw RuleError("-p: only the program ipfw starts others", .usage) }
      var read = call
      read.use(text: try TextFile.read(path))
      try perform(read, &backend)
    }
  }

  /// nil: an empty line.
  static func call(_ line: String) throws(RuleError) -> IpfwInvocation? {
    let first = line.utf8.first { !isBlank($0) }
    guard let first, first != UInt8(ascii: "#") else { return nil }
    return try IpfwInvocation([line])
  }

  private mutating func perform(
    _ words: [String], _ flags: IpfwFlags, _ backend: inout some FirewallBackend
  ) throws(RuleError) {
    let line = try ParsedCommand(words)
    for warning in line.warnings { warn(warning) }
    switch line.command {
    case .add: try add(line.arguments, flags)
    case .delete: try delete(line, flags)
    case .flush: flush(line.set, flags)
    case .zero: try zero(line, flags)
    case .resetlog: try resetLog(line, flags)
    case .list: list(line, flags, counters: flags.showsCounters, backend)
    case .show: list(line, flags, counters: true, backend)
    case .set: try changeSets(line.arguments, flags)
    case .later: break
    }
  }

  // MARK: Messages

  mutating func say(_ text: String) { result.output += text }
  mutating func warn(_ text: String) { result.errors += "\(program): \(text)\n" }

  mutating func fail(_ error: RuleError) {
    warn(error.text)
    result.status = error.status.rawValue
  }

  func counter(_ slot: Int, _ backend: some FirewallBackend) -> RuleCounters.Counter {
    fresh.contains(slot) || cleared.contains(slot) ? RuleCounters.Counter() : backend.counter(slot)
  }
}

/// The version of programs and library.
package let divertVersion = "0.1.0"
