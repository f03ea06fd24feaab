// Every test finds an empty Stowage.
beforeEach(() => {
  cy.task('stowage', ['POST', 'reset'])
})
