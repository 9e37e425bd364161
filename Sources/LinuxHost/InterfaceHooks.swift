import BPF
import Firewall
import Kernel
import RuleCompiler

/// The rule set's programs, one for each direction and kind of link-layer header.
struct RulePrograms: ~Copyable {
  let incoming: Program
  let outgoing: Program

  init(
    _ ruleSet: RuleSet, host: HostView, linkHeaderLength: Int, secret: UInt64, upcallInterface: UInt32,
    passingPorts: Set<UInt16>, maps: borrowing HookMaps
  ) throws(HostError) {
    var environment = HookEnvironment(
      direction: .incoming, linkHeaderLength: linkHeaderLength, secret: secret,
      upcallInterface: upcallInterface)
    environment.passingPorts = passingPorts
    let incoming = try Self.load("divert_in", ruleSet, host, environment, maps)
    environment.direction = .outgoing
    let outgoing = try Self.load("divert_out", ruleSet, host, environment, maps)
    self.incoming = incoming
    self.outgoing = outgoing
  }

  /// What the verifier finds too large is halved: the rules beyond are then judged in user space.
  private static func load(
    _ name: String, _ ruleSet: RuleSet, _ host: HostView, _ environment: HookEnvironment,
    _ maps: borrowing HookMaps
  ) throws(HostError) -> Program {
    var environment = environment
    while true {
      do {
        return try Program(name, RuleHook.compile(ruleSet, host: host, environment: environment, maps: maps))
      } catch let error as ProgramError {
        guard error.isTooLarge, environment.instructionLimit > 64 else { throw .program(error) }
        environment.instructionLimit /= 2
      } catch let error as AssemblerError {
        throw .assembler(error)
      } catch {
        throw .assembler(.unplacedLabel(slot: 0))
      }
    }
  }
}

/// The hooks on one interface, in both directions.
final class InterfaceHook {
  private let incoming: Link
  private let outgoing: Link
  let hasLinkHeader: Bool

  init(_ interface: NetworkInterface, _ programs: borrowing RulePrograms) throws(SystemError) {
    hasLinkHeader = interface.hasLinkHeader
    let incoming = try Link(programs.incoming, to: interface.index, .ingress)
    let outgoing = try Link(programs.outgoing, to: interface.index, .egress)
    self.incoming = incoming
    self.outgoing = outgoing
  }

  func replace(with programs: borrowing RulePrograms) throws(SystemError) {
    try incoming.replace(with: programs.incoming)
    try outgoing.replace(with: programs.outgoing)
  }
}
