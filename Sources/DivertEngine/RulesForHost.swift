package import Firewall

/// Rules as the engine executes them on a host: the slow part of putting them in force, which any thread can do.
package struct RulesForHost: Sendable {
  package let ruleSet: RuleSet
  package let view: HostView
  package let image: RuleImage

  /// - Parameter before: Rules whose image does if only sets are enabled or disabled, or only addresses change.
  package init(_ ruleSet: RuleSet, _ view: HostView, after before: RulesForHost? = nil) {
    (self.ruleSet, self.view) = (ruleSet, view)
    guard let before, before.ruleSet.entries == ruleSet.entries,
      before.view == view || !ruleSet.mentionsInterfaces
    else {
      image = RuleImage(ruleSet: ruleSet, host: view)
      return
    }
    var image = before.image
    image.enabledSets = ~ruleSet.disabledSets
    if before.view != view { image.setLocalAddresses(of: view) }
    self.image = image
  }
}
