import BPF
import Dispatch
import Firewall
import Kernel
import RuleCompiler
import Synchronization

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
    var environments = [environment]
    environment.direction = .outgoing
    environments.append(environment)
    // Nearly all of the time is the verifier's, which works for two as fast as for one.
    let programs = InlineArray<2, Mutex<Result<Program, HostError>?>> { _ in Mutex(nil) }
    DispatchQueue.concurrentPerform(iterations: 2) { [environments] index in
      programs[index].withLock { $0 = Self.load(ruleSet, host, environments[index], maps) }
    }
    guard let incoming = programs[0].withLock({ $0.take() }),
      let outgoing = programs[1].withLock({ $0.take() })
    else { fatalError("each direction has a program or an error by now") }
    let loaded = try incoming.get()
    self.outgoing = try outgoing.get()
    self.incoming = loaded
  }

  /// What the verifier finds too large is halved: the rules beyond are then judged in user space.
  private static func load(
    _ ruleSet: RuleSet, _ host: HostView, _ environment: HookEnvironment, _ maps: borrowing HookMaps
  ) -> Result<Program, HostError> {
    var environment = environment
    let name = environment.direction == .incoming ? "divert_in" : "divert_out"
    while true {
      do {
        return .success(
          try Program(name, RuleHook.compile(ruleSet, host: host, environment: environment, maps: maps)))
      } catch let error as ProgramError {
        guard error.isTooLarge, environment.instructionLimit > 64 else { return .failure(.program(error)) }
        environment.instructionLimit /= 2
      } catch let error as AssemblerError {
        return .failure(.assembler(error))
      } catch {
        return .failure(.assembler(.unplacedLabel(slot: 0)))
      }
    }
  }
}

/// The hooks on one interface, in both directions.
final class InterfaceHook {
  private let incoming: Link
  private let outgoing: Link
  let hasLinkHeader: Bool

  init(
    _ interface: NetworkInterface, _ programs: borrowing RulePrograms, kept: KeptHost?
  ) throws(SystemError) {
    hasLinkHeader = interface.hasLinkHeader
    let incoming = try attach(programs.incoming, to: interface.index, .ingress, kept)
    let outgoing = try attach(programs.outgoing, to: interface.index, .egress, kept)
    self.incoming = incoming
    self.outgoing = outgoing
  }

  func replace(with programs: borrowing RulePrograms) throws(SystemError) {
    try incoming.replace(with: programs.incoming)
    try outgoing.replace(with: programs.outgoing)
  }
}
