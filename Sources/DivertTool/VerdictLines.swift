import Firewall
import Kernel
import SimulatedHost

/// What `divert replay --verdicts` prints.
struct VerdictLines: ~Copyable {
  private var output: OutputBuffer

  init(to output: consuming OutputBuffer) { self.output = output }

  /// `N RULE ACTION [ARGUMENT]`, and behind ` ; ` what came after the packet went on.
  mutating func append(_ number: Int, _ verdicts: [Verdict], _ fate: Replay.Fate) throws(SystemError) {
    output.append(decimal: number)
    for index in verdicts.indices {
      output.append(index == 0 ? " " : " ; ")
      append(verdicts[index], isLooped: fate == .looped && index == verdicts.count - 1)
    }
    output.append(UInt8(ascii: "\n"))
    try output.flushIfFull()
  }

  private mutating func append(_ verdict: Verdict, isLooped: Bool) {
    output.append(decimal: Int(verdict.ruleNumber))
    switch verdict.decision {
    case .allow: output.append(" accept")
    case .deny: output.append(" deny")
    case .divert where isLooped: output.append(" looped")
    case .divert(let port):
      output.append(" divert ")
      output.append(decimal: Int(port))
    case .tee(let port):
      output.append(" tee ")
      output.append(decimal: Int(port))
    }
  }

  mutating func flush() throws(SystemError) { try output.flush() }
}
