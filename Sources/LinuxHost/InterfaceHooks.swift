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
    _ ruleSet: RuleSet, host: HostView, shape: HookShape, secret: UInt64, upcallInterface: UInt32,
    passingPorts: Set<UInt16>, judgesInUserSpace: Bool = false, maps: borrowing HookMaps
  ) throws(HostError) {
    var environment = HookEnvironment(
      direction: .incoming, linkHeaderLength: shape.linkHeaderLength, secret: secret,
      upcallInterface: upcallInterface)
    environment.passingPorts = passingPorts
    environment.isMember = shape.isMember
    environment.hasChildren = shape.hasChildren
    environment.judgesInUserSpace = judgesInUserSpace
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
  private(set) var shape: HookShape

  init(
    _ index: UInt32, _ shape: HookShape, _ programs: borrowing RulePrograms, kept: KeptHost?
  ) throws(SystemError) {
    self.shape = shape
    let incoming = try attach(programs.incoming, to: index, .ingress, kept)
    let outgoing = try attach(programs.outgoing, to: index, .egress, kept)
    self.incoming = incoming
    self.outgoing = outgoing
  }

  /// Whether both are still where they were attached: not when the interface has gone, though another may have come with
  /// its index, name and address.
  var isAttached: Bool { incoming.isAttached && outgoing.isAttached }

  func replace(with programs: borrowing RulePrograms, _ shape: HookShape) throws(SystemError) {
    try incoming.replace(with: programs.incoming)
    try outgoing.replace(with: programs.outgoing)
    self.shape = shape
  }
}

/// An interface whose IP traffic no rule is applied to.
struct InterfaceWithoutRules {
  let name: String
  let reason: String
  /// Why hooks could not be attached, which is tried again; nil where they cannot be of use.
  let error: HostError?

  init(_ name: String, _ reason: String) { (self.name, self.reason, self.error) = (name, reason, nil) }

  init(_ name: String, _ error: HostError) {
    (self.name, self.reason, self.error) = (name, error.description, error)
  }
}
