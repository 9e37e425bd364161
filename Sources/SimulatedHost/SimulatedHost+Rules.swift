import DivertEngine
import Firewall
import Synchronization

extension SimulatedHost {
  /// Runs a command of ipfw(8) on this host's rules.
  ///
  /// ```swift
  /// try host.ipfw("add 100 divert 2000 icmp from any to any in icmptypes 8")
  /// print(try host.ipfw("show"))
  /// ```
  ///
  /// - Parameter command: As one would type it behind `ipfw`.
  /// - Returns: What ipfw prints.
  /// - Throws: What it says where it fails.
  @discardableResult
  public func ipfw(_ command: String) throws(SimulationError) -> String {
    let result: CommandResult
    do throws(RuleError) {
      var call = try IpfwInvocation(arguments: command.split { $0.isWhitespace }.map(String.init))
      call.force()
      result = state.withLock { call.execute(on: &$0.engine) }
    } catch {
      result = CommandResult(error)
    }
    guard result.status == 0 else {
      throw SimulationError(String(result.errors.drop { $0.isWhitespace }.trimmingEnd()))
    }
    return result.output
  }

  /// What a rule has counted: all rules of this number together.
  public func counter(ofRule number: UInt16) -> (packets: UInt64, bytes: UInt64) {
    state.withLock { state in
      var sum: (packets: UInt64, bytes: UInt64) = (0, 0)
      for entry in state.engine.ruleSet.entries where entry.rule.number == number {
        let counter = state.engine.ruleCounters[entry.slot]
        sum = (sum.packets + counter.packets, sum.bytes + counter.bytes)
      }
      return sum
    }
  }
}

extension Substring {
  fileprivate func trimmingEnd() -> Substring {
    var text = self
    while text.last?.isWhitespace == true { text.removeLast() }
    return text
  }
}
