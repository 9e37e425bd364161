import BPF
import Firewall
import Kernel
import RuleCompiler

/// The hooks' programs for one shape of interfaces. They know no rules: those are in the image.
struct RulePrograms: ~Copyable {
  let incoming: Program
  let outgoing: Program

  init(
    shape: HookShape, secret: UInt64, upcallInterface: UInt32, judgesInUserSpace: Bool = false,
    maps: borrowing HookMaps
  ) throws(HostError) {
    var environment = HookEnvironment(
      direction: .incoming, linkHeaderLength: shape.linkHeaderLength, secret: secret,
      upcallInterface: upcallInterface)
    environment.isMember = shape.isMember
    environment.hasChildren = shape.hasChildren
    environment.judgesInUserSpace = judgesInUserSpace
    let incoming = try Self.load("divert_in", environment, maps)
    environment.direction = .outgoing
    outgoing = try Self.load("divert_out", environment, maps)
    self.incoming = incoming
  }

  private static func load(
    _ name: String, _ environment: HookEnvironment, _ maps: borrowing HookMaps
  ) throws(HostError) -> Program {
    do {
      return try Program(name, RuleHook.compile(environment: environment, maps: maps))
    } catch let error as ProgramError {
      throw .program(error)
    } catch let error as AssemblerError {
      throw .assembler(error)
    } catch {
      throw .assembler(.unplacedLabel(slot: 0))
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
