import DivertEngine
import DivertWire
import Firewall
import Glibc
import Kernel
import LinuxHost
import Synchronization

/// Commands that read and change the rules, one after the other, on a thread of their own: rules may take long to read and
/// to load, while packets wait for judgement, interfaces come, and programs ask for sockets.
final class RuleChanges: Sendable {
  private let worker = Worker()
  private let errands: Errands
  private let answers = Mutex<[(client: ControlClient.Identifier, ControlMessage)]>([])
  private let wakeUp: WakeUp
  private let renewal = Mutex(Renewal())

  private struct Renewal {
    var isWaiting = false
    /// Why the last one failed.
    var failure: String?
  }

  init(wakeUp: WakeUp) {
    self.wakeUp = wakeUp
    errands = Errands(wakeUp: wakeUp)
  }

  /// Runs on the host's thread what changes of rules want of it.
  func serve(_ host: LinuxHost) { errands.perform(on: host) }

  /// The answers that have been made since the last call.
  func takeAnswers() -> [(client: ControlClient.Identifier, ControlMessage)] {
    answers.withLock { answers in
      defer { answers = [] }
      return answers
    }
  }

  private func answer(_ client: ControlClient.Identifier, _ message: ControlMessage) {
    answers.withLock { $0.append((client, message)) }
    wakeUp.signal()
  }

  // MARK: What is asked for

  /// Executes an ipfw command line.
  func execute(_ words: [String], for client: ControlClient.Identifier) {
    worker.perform { [self] in
      let result = execute(words)
      answer(client, .result(status: result.status, output: result.output, errors: result.errors))
    }
  }

  private func execute(_ words: [String]) -> CommandResult {
    do throws(RuleError) {
      let call = try IpfwInvocation(words)
      var rules = EnforcedRules(self)
      let result = call.execute(on: &rules)
      rules.finish()
      return result
    } catch {
      return CommandResult(error)
    }
  }

  /// Says what happens to packets for a port that no program has bound.
  func setPolicy(_ policy: UnboundPolicy, ofPort port: UInt16, for client: ControlClient.Identifier) {
    worker.perform { [self] in
      let (ruleSet, ports) = errands.run {
        ($0.engine.ruleSet, $0.engine.passingPorts(with: policy, ofPort: port))
      }
      do throws(HostError) {
        _ = try enforce(ruleSet, passingPorts: ports)
        answer(client, .done)
      } catch {
        let action = "set the policy of divert port \(port)"
        complain("\(action): \(error)")
        let text = "\(action); the kernel did not take the rules; see divertd's log"
        answer(client, .failed(code: error.code, text: text))
      }
    }
  }

  /// Reads a file of rules again; if it is wrong, the rules in force stay.
  func load(_ file: String, _ defaultAction: Action) {
    worker.perform { [self] in
      do {
        _ = try enforce(RuleSet.load(file, defaultAction))
      } catch {
        complain("\(error); the rules in force stay as they were")
      }
    }
  }

  /// Prepares the rules in force anew, for the interfaces that there are now. A failure is logged once.
  func renew() {
    let isFirst = renewal.withLock { renewal in
      defer { renewal.isWaiting = true }
      return !renewal.isWaiting
    }
    guard isFirst else { return }
    worker.perform { [self] in
      renewal.withLock { $0.isWaiting = false }
      var failure: String?
      do throws(HostError) {
        _ = try enforce(currentRules().0)
      } catch {
        failure = "put the rules in force on other interfaces: \(error)"
      }
      let isNew = renewal.withLock { renewal in
        defer { renewal.failure = failure }
        return failure != renewal.failure
      }
      if isNew, let failure { complain(failure) }
    }
  }

  // MARK: On the worker's thread

  /// Prepares rules here, and lets the host's thread put them in force.
  ///
  /// - Returns: The slots whose counters began anew.
  fileprivate func enforce(
    _ ruleSet: RuleSet, passingPorts: Set<UInt16>? = nil
  ) throws(HostError) -> Set<Int> {
    for _ in 0..<3 {
      let prepared = try errands.run { $0.preparation(of: ruleSet, passingPorts: passingPorts) }.prepare()
      let isCommitted = errands.run { host in
        Result { () throws(HostError) in try host.commit(prepared) }
      }
      if try isCommitted.get() { return Set(prepared.changedSlots) }
    }
    // Interfaces that change faster than rules are prepared must not keep them out for ever.
    let slots = errands.run { host in
      Result { () throws(HostError) in try host.enforce(ruleSet, passingPorts: passingPorts) }
    }
    return Set(try slots.get())
  }

  fileprivate func currentRules() -> (RuleSet, RuleCounterReader) {
    errands.run { ($0.engine.ruleSet, $0.counterReader) }
  }

  fileprivate func clearCounters(_ slots: Set<Int>) {
    if !slots.isEmpty { errands.run { host in for slot in slots { host.clearCounter(slot: slot) } } }
  }
}

/// The rules in the kernel, for the commands to work on.
private struct EnforcedRules: FirewallBackend {
  private let changes: RuleChanges
  let ruleSet: RuleSet
  private let counters: RuleCounterReader
  private var cleared: Set<Int> = []
  private var begunAnew: Set<Int> = []

  init(_ changes: RuleChanges) {
    self.changes = changes
    (ruleSet, counters) = changes.currentRules()
  }

  mutating func replaceRules(with ruleSet: RuleSet) throws(RuleError) {
    do throws(HostError) {
      begunAnew = try changes.enforce(ruleSet)
    } catch {
      throw RuleError("the kernel did not take the rules: \(error)", .unavailable)
    }
  }

  func counter(_ slot: Int) -> RuleCounters.Counter { counters.counter(slot: slot) }
  mutating func clearCounter(_ slot: Int) { cleared.insert(slot) }

  /// Clears what was to be cleared, all at once.
  func finish() { changes.clearCounters(cleared.subtracting(begunAnew)) }
}

extension RuleSet {
  /// The rules of a file, or none.
  static func load(_ file: String?, _ defaultAction: Action) throws -> RuleSet {
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
}

/// A file of rules that is not to be enforced.
struct RulesFileError: Error, CustomStringConvertible {
  let description: String
  let status: RuleError.Status
}
